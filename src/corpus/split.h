// What a model is trained on and what it is judged by: documents told apart before anything else is done with them, so
// that no text of the one is in the other. Called by the trainer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "corpus/documents.h"

namespace smelt {

struct CorpusPart {
  TextFiles files;
  std::vector<std::string> held_out = {};  // patterns of files of this part that are held out whole
  std::vector<std::string> left_out = {};  // … and that are not read at all
};

struct Corpus {
  std::string data_folder;
  std::vector<CorpusPart> parts;
  // Of the documents of all other files, chosen by a hash of their text: equal documents go to the same side.
  double held_out_share = 0;
};

enum class Side : uint8_t { training, held_out };

// Calls `visit` with all documents in order. Held-out patterns that find no file of the part are an error.
Status for_each_split_document(const Corpus& corpus, const JobControl& job,
                               const std::function<Status(const Document&, Side)>& visit);

}  // namespace smelt
