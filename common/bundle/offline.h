// The data directory of a process that does not run, for who works on it in its place.
#pragma once

#include <memory>
#include <string>

#include "common/registry/storage.h"

namespace wherry::bundle {

/// Opens it, making it where there is none. Errors: kUnavailable when a process has it open, saying which; those of
/// Storage::open().
Task<Result<std::unique_ptr<registry::Storage>>> open_offline(std::string directory, Pool& disk, Metrics& metrics);

/// The exit code of an import or export that failed: 74 for what the machine refused, 64 for wrong use, 1 for a bundle
/// or a server that is not as it should be.
int exit_code(const Error& error);

}  // namespace wherry::bundle
