#include "common/config/document_file.h"

#include <yaml-cpp/yaml.h>

#include <iostream>

#include "common/base/files.h"
#include "common/base/json.h"

namespace wherry {
namespace {

constexpr int kMaxDepth = 32;

bool is_json_number(const std::string& text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t digits = text.find_first_not_of("0123456789", at);
  const bool leading_zero = text.size() > at + 1 && text[at] == '0' && text[at + 1] != '.';
  if (at == text.size() || digits == at || leading_zero) return false;
  if (digits == std::string::npos) return true;
  return text[digits] == '.' && digits + 1 < text.size() &&
         text.find_first_not_of("0123456789", digits + 1) == std::string::npos;
}

void append_scalar(const YAML::Node& node, std::string& out) {
  const std::string& text = node.Scalar();
  const bool plain = node.Tag() == "?";  // "!" is what yaml-cpp calls a quoted one
  if (plain && (text == "true" || text == "True" || text == "TRUE"))
    out += "true";
  else if (plain && (text == "false" || text == "False" || text == "FALSE"))
    out += "false";
  else if (plain && is_json_number(text))
    out += text;
  else
    append_json_string(out, text);
}

Result<void> append(const YAML::Node& node, const std::string& name, int depth, std::size_t& nodes, std::string& out) {
  if (depth > kMaxDepth || ++nodes > kMaxDocumentNodes)
    return Error(ErrorKind::kInvalid, "{}:{}: the document is too large, or nested too deep", name,
                 node.Mark().line + 1);
  if (node.IsScalar()) {
    append_scalar(node, out);
  } else if (node.IsSequence()) {
    out += '[';
    for (const auto& item : node) {
      if (out.back() != '[') out += ',';
      if (auto added = append(item, name, depth + 1, nodes, out); !added) return added;
    }
    out += ']';
  } else if (node.IsMap()) {
    out += '{';
    for (const auto& pair : node) {
      if (!pair.first.IsScalar())
        return Error(ErrorKind::kInvalid, "{}:{}: a key is no text", name, pair.first.Mark().line + 1);
      if (out.back() != '{') out += ',';
      append_json_string(out, pair.first.Scalar());
      out += ':';
      if (auto added = append(pair.second, name, depth + 1, nodes, out); !added) return added;
    }
    out += '}';
  } else {
    out += "null";
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> parse_documents(const std::string& text, const std::string& name) try {
  std::vector<std::string> documents;
  for (const YAML::Node& node : YAML::LoadAll(text)) {
    std::string document;
    std::size_t nodes = 0;
    if (auto added = append(node, name, 0, nodes, document); !added) return added.error();
    if (document != "null") documents.push_back(std::move(document));
  }
  return documents;
} catch (const YAML::Exception& exception) {
  return Error(ErrorKind::kInvalid, "{}:{}: {}", name, exception.mark.line + 1, exception.msg);
}

Result<std::vector<std::string>> read_documents(const std::string& path) {
  if (path != "-") {
    auto text = read_small_file(path, kMaxDocumentFileBytes);
    if (!text) return Error(ErrorKind::kInvalid, "{}: cannot be read, or is larger than 1 MiB", path);
    return parse_documents(*text, path);
  }
  std::string text;
  for (int c = std::cin.get(); c != EOF && text.size() <= kMaxDocumentFileBytes; c = std::cin.get())
    text.push_back(static_cast<char>(c));
  if (text.size() > kMaxDocumentFileBytes) return Error(ErrorKind::kInvalid, "-: is larger than 1 MiB");
  return parse_documents(text, "-");
}

}  // namespace wherry
