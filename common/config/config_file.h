// A YAML configuration file, read key by key into structs; every error names the file, the line and the key.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"

namespace YAML {
class Node;
}

namespace wherry {

/// One mapping of a file. read_*() leave the target as it is when the key is absent; finish() refuses keys that nobody
/// read and those that stand twice: a misspelt key is an error, not a default.
class ConfigSection {
 public:
  /// Opens a file whose top level is a mapping. Errors: kInvalid, naming file and line.
  static Result<ConfigSection> load(const std::string& path);

  ConfigSection(ConfigSection&&) noexcept;
  ConfigSection& operator=(ConfigSection&&) noexcept;
  ~ConfigSection();

  Result<void> read(const std::string& key, std::string& into);
  Result<void> read(const std::string& key, bool& into);
  /// A whole number, or one with a unit: 64KiB, 10MiB, 2GiB, 1TiB.
  Result<void> read_bytes(const std::string& key, std::uint64_t& into);
  Result<void> read_count(const std::string& key, std::uint64_t least, std::uint64_t most, std::uint64_t& into);
  /// Far from where adding one to a time of day in nanoseconds would overflow.
  static constexpr std::chrono::milliseconds kMaxDuration = std::chrono::days(36'500);
  /// A number with its unit: 250ms, 30s, 5m, 12h, 7d; at most kMaxDuration.
  Result<void> read_duration(const std::string& key, std::chrono::milliseconds& into);
  /// A mapping within this one; empty when the key is absent.
  Result<ConfigSection> section(const std::string& key);
  /// A list of mappings; empty when the key is absent.
  Result<std::vector<ConfigSection>> sections(const std::string& key);
  /// A list of texts, or one alone.
  Result<void> read_list(const std::string& key, std::vector<std::string>& into);
  Result<void> finish() const;
  /// Where a key stands, for what is said of its value: "FILE:LINE: KEY".
  std::string place_of(const std::string& key) const;

 private:
  ConfigSection(std::string file, std::string prefix, std::unique_ptr<YAML::Node> node);
  /// The text of a scalar; empty pointer when the key is absent.
  Result<std::unique_ptr<std::string>> scalar(const std::string& key);
  Error wrong(const std::string& key, const std::string& what) const;

  std::string file_;
  std::string prefix_;
  std::unique_ptr<YAML::Node> node_;
  std::vector<std::string> known_;
};

}  // namespace wherry
