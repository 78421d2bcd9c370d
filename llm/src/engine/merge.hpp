#pragma once
// A model file with adapters added to its weights.

#include "engine/adapter.hpp"

#include <filesystem>

namespace wherry::inline v0::engine {

/// Writes `to`: the model with W + strength * scale * B A in place of each adapted W, packed in W's own type.
/// Everything else is copied; a split model becomes one file. It is written aside and renamed; one row is in memory at
/// a time. Fails with: errc::unsupported when an adapted tensor has a type that cannot be written, naming it and what
/// can; errc::io_failed, errc::disk_full.
result<void> write_merged(gguf_file const& model, active_adapters adapters, std::filesystem::path const& to);

}  // namespace wherry::inline v0::engine
