// smelt eval task. A command of the group in cmd_eval.cc.
#pragma once

#include "apps/command.h"

namespace smelt {

extern const Command eval_task_command;

}  // namespace smelt
