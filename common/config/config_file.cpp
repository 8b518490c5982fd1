#include "common/config/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/files.h"

namespace wherry {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// A number and its unit from a list; nothing when it is neither or too large.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const auto digits = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const auto number = parse_decimal(text.substr(0, static_cast<std::size_t>(digits - text.begin())));
  const auto name = text.substr(static_cast<std::size_t>(digits - text.begin()));
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  std::uint64_t value = 0;
  if (!number || unit == units.end() || __builtin_mul_overflow(*number, unit->factor, &value)) return std::nullopt;
  return value;
}

constexpr std::size_t kMaxConfigBytes = 1024 * 1024;

/// A whole file. Read here, for yaml-cpp throws out of half-made objects when what it was given is a directory, and its
/// bytes have no bound.
Result<std::string> read_text(const std::string& path) {
  auto text = read_small_file(path, kMaxConfigBytes);
  if (text) return text;
  if (text.error().kind() == ErrorKind::kTooLarge) return Error(ErrorKind::kInvalid, "{}: larger than 1 MiB", path);
  return Error(ErrorKind::kInvalid, "{}: cannot be read", path);
}

}  // namespace

ConfigSection::ConfigSection(std::string file, std::string prefix, std::unique_ptr<YAML::Node> node)
    : file_(std::move(file)), prefix_(std::move(prefix)), node_(std::move(node)) {}
ConfigSection::ConfigSection(ConfigSection&&) noexcept = default;
ConfigSection& ConfigSection::operator=(ConfigSection&&) noexcept = default;
ConfigSection::~ConfigSection() = default;

Result<ConfigSection> ConfigSection::load(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  try {
    auto node = std::make_unique<YAML::Node>(YAML::Load(*text));
    if (node->IsNull()) *node = YAML::Node(YAML::NodeType::Map);
    if (!node->IsMap()) return Error(ErrorKind::kInvalid, "{}: the top level is not a mapping of keys", path);
    return ConfigSection(path, "", std::move(node));
  } catch (const YAML::Exception& exception) {
    return Error(ErrorKind::kInvalid, "{}:{}: {}", path, exception.mark.line + 1, exception.msg);
  }
}

std::string ConfigSection::place_of(const std::string& key) const {
  const YAML::Node value = std::as_const(*node_)[key];
  const int line = value.IsDefined() ? value.Mark().line + 1 : 0;
  return fmt::format("{}:{}: {}{}", file_, line, prefix_, key);
}

Error ConfigSection::wrong(const std::string& key, const std::string& what) const {
  return Error(ErrorKind::kInvalid, "{}: {}", place_of(key), what);
}

Result<std::unique_ptr<std::string>> ConfigSection::scalar(const std::string& key) {
  known_.push_back(key);
  const YAML::Node value = std::as_const(*node_)[key];
  if (!value.IsDefined() || value.IsNull()) return std::unique_ptr<std::string>();
  if (!value.IsScalar()) return wrong(key, "is not a single value");
  return std::make_unique<std::string>(value.Scalar());
}

Result<void> ConfigSection::read(const std::string& key, std::string& into) {
  auto text = scalar(key);
  if (!text) return text.error();
  if (*text) into = **text;
  return {};
}

Result<void> ConfigSection::read(const std::string& key, bool& into) {
  auto text = scalar(key);
  if (!text) return text.error();
  if (!*text) return {};
  if (**text != "true" && **text != "false") return wrong(key, "'" + **text + "' is neither true nor false");
  into = **text == "true";
  return {};
}

Result<void> ConfigSection::read_bytes(const std::string& key, std::uint64_t& into) {
  static constexpr std::array<Unit, 5> kUnits = {{{"", 1},
                                                  {"KiB", 1024},
                                                  {"MiB", 1024 * 1024},
                                                  {"GiB", 1024 * 1024 * 1024},
                                                  {"TiB", 1024ULL * 1024 * 1024 * 1024}}};
  auto text = scalar(key);
  if (!text) return text.error();
  if (!*text) return {};
  const auto value = parse_with_unit(**text, kUnits);
  if (!value) return wrong(key, "'" + **text + "' is not a number of bytes, such as 512MiB");
  into = *value;
  return {};
}

Result<void> ConfigSection::read_count(const std::string& key, std::uint64_t least, std::uint64_t most,
                                       std::uint64_t& into) {
  auto text = scalar(key);
  if (!text) return text.error();
  if (!*text) return {};
  const auto value = parse_decimal(**text);
  if (!value || *value < least || *value > most)
    return wrong(key, fmt::format("'{}' is not a number from {} to {}", **text, least, most));
  into = *value;
  return {};
}

Result<void> ConfigSection::read_duration(const std::string& key, std::chrono::milliseconds& into) {
  static constexpr std::array<Unit, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}}};
  auto text = scalar(key);
  if (!text) return text.error();
  if (!*text) return {};
  const auto value = parse_with_unit(**text, kUnits);
  if (!value) return wrong(key, "'" + **text + "' is not a duration with its unit, such as 30s or 7d");
  if (*value > static_cast<std::uint64_t>(kMaxDuration.count()))
    return wrong(key, fmt::format("'{}' is longer than {} days", **text,
                                  std::chrono::floor<std::chrono::days>(kMaxDuration).count()));
  into = std::chrono::milliseconds(*value);
  return {};
}

Result<ConfigSection> ConfigSection::section(const std::string& key) {
  known_.push_back(key);
  const YAML::Node value = std::as_const(*node_)[key];
  if (value.IsDefined() && !value.IsNull() && !value.IsMap()) return wrong(key, "is not a mapping of keys");
  const bool there = value.IsDefined() && value.IsMap();
  auto node = std::make_unique<YAML::Node>(there ? value : YAML::Node(YAML::NodeType::Map));
  return ConfigSection(file_, prefix_ + key + ".", std::move(node));
}

Result<std::vector<ConfigSection>> ConfigSection::sections(const std::string& key) {
  known_.push_back(key);
  const YAML::Node value = std::as_const(*node_)[key];
  std::vector<ConfigSection> all;
  if (!value.IsDefined() || value.IsNull()) return all;
  if (!value.IsSequence()) return wrong(key, "is not a list");
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].IsMap()) return wrong(key, fmt::format("entry {} is not a mapping of keys", i + 1));
    all.push_back(
        ConfigSection(file_, fmt::format("{}{}[{}].", prefix_, key, i), std::make_unique<YAML::Node>(value[i])));
  }
  return all;
}

Result<void> ConfigSection::read_list(const std::string& key, std::vector<std::string>& into) {
  known_.push_back(key);
  const YAML::Node value = std::as_const(*node_)[key];
  if (!value.IsDefined() || value.IsNull()) return {};
  if (value.IsScalar()) {
    into = {value.Scalar()};
    return {};
  }
  if (!value.IsSequence()) return wrong(key, "is not a list");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].IsScalar()) return wrong(key, fmt::format("entry {} is not a single value", i + 1));
    texts.push_back(value[i].Scalar());
  }
  into = std::move(texts);
  return {};
}

Result<void> ConfigSection::finish() const {
  std::set<std::string> seen;
  for (const auto& entry : *node_) {
    const auto key = entry.first.IsScalar() ? entry.first.Scalar() : std::string("?");
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      return Error(ErrorKind::kInvalid, "{}:{}: {}{}: there is no such key", file_, entry.first.Mark().line + 1,
                   prefix_, key);
    if (!seen.insert(key).second)
      return Error(ErrorKind::kInvalid, "{}:{}: {}{}: stands here a second time", file_, entry.first.Mark().line + 1,
                   prefix_, key);
  }
  return {};
}

}  // namespace wherry
