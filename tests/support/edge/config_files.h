// Configurations as tests read them: a configuration, or the first mistake.
#pragma once

#include <utility>

#include "base/result.h"
#include "edge/config.h"
#include "edge/config_reader.h"

namespace perigee::edge {

/// Its error has the sentence of the first mistake alone.
inline base::Result<Config> config_or_mistake(ReadConfig read) {
  if (read.ok()) return std::move(read.config);
  for (const Problem& problem : read.problems.all()) {
    if (problem.kind != Problem::Kind::kError) continue;
    return base::Error{base::ErrorCode::kInvalid, 0, problem.sentence()};
  }
  return base::Error{base::ErrorCode::kInvalid, 0, "a mistake that nobody is told"};
}

}  // namespace perigee::edge
