#include "common/store/layout.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/files.h"
#include "common/base/log.h"

namespace wherry::store {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Makes folders and remembers whether any was new.
class FolderMaker {
 public:
  Result<void> make(const std::string& path) {
    auto made = make_folder(path);
    if (!made) return std::move(made.error());
    made_any_ = made_any_ || *made;
    return {};
  }
  bool made_any() const { return made_any_; }

 private:
  bool made_any_ = false;
};

Result<void> make_shards(const std::string& folder) {
  FolderMaker maker;
  if (auto made = maker.make(folder); !made) return made;
  for (const char high : kHexDigits)
    for (const char low : kHexDigits)
      if (auto made = maker.make(folder + "/" + high + low); !made) return made;
  if (maker.made_any()) return sync_folder(folder);
  return {};
}

Result<void> check_format(const std::string& path, bool& present) {
  auto file = open_file(path, O_RDONLY);
  present = file.has_value();
  if (!present && ::access(path.c_str(), F_OK) == 0) return std::move(file.error());
  if (!present) return {};
  std::string text(64, '\0');
  auto got = read_all(file->get(), std::as_writable_bytes(std::span(text)), 0);
  if (!got) return std::move(got.error());
  text.resize(*got);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text == BlobLayout::kFormat) return {};
  return Error(ErrorKind::kUnsupported,
               "{} says \"{}\", but this program reads only \"{}\"; use the version of wherry that wrote this data",
               path, text, BlobLayout::kFormat);
}

Result<void> write_format(const std::string& directory) {
  const std::string temporary = directory + "/format.new";
  auto file = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return std::move(file.error());
  const std::string text = std::string(BlobLayout::kFormat) + "\n";
  if (auto written = write_all(file->get(), std::as_bytes(std::span(text)), 0); !written) return written;
  if (::fsync(file->get()) != 0) return system_error(errno, "sync " + temporary);
  if (auto renamed = rename_file(temporary, directory + "/format"); !renamed) return std::move(renamed.error());
  return sync_folder(directory);
}

/// What cannot be removed is left and told of: it takes room but does no harm.
void tell_of(const Result<void>& removed) {
  if (!removed) log::warn("a leftover could not be removed", {{"why", removed.error().message()}});
}

Result<void> remove_files(const std::string& folder, const std::function<bool(const std::string&)>& keep) {
  return for_each_file(folder, [&](const std::string& name) {
    if (keep(name)) return;
    if (auto removed = remove_file(folder + "/" + name); !removed) tell_of(std::move(removed.error()));
  });
}

}  // namespace

BlobLayout::BlobLayout(std::string directory) : directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
}

std::string BlobLayout::shard(const Digest& digest) const {
  return fmt::format("{}/blobs/{}/{}", directory_, digest.algorithm_name(),
                     std::string_view(digest.hex()).substr(0, 2));
}

std::string BlobLayout::blob(const Digest& digest) const { return fmt::format("{}/{}", shard(digest), digest.hex()); }

std::string BlobLayout::temporary(std::string_view name) const { return fmt::format("{}/tmp/{}", directory_, name); }
std::string BlobLayout::trash_folder() const { return directory_ + "/trash"; }
std::string BlobLayout::trash(std::string_view name) const { return fmt::format("{}/{}", trash_folder(), name); }
std::string BlobLayout::quarantine_folder() const { return directory_ + "/quarantine"; }
std::string BlobLayout::quarantine(const Digest& digest) const {
  return fmt::format("{}/{}-{}", quarantine_folder(), digest.algorithm_name(), digest.hex());
}

bool BlobLayout::is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' && std::ranges::all_of(name, fits);
}

Result<void> BlobLayout::prepare(const std::function<bool(std::string_view upload_id)>& keep_upload) const {
  FolderMaker root;
  if (auto made = root.make(directory_); !made) return made;
  bool formatted = false;
  if (auto checked = check_format(directory_ + "/format", formatted); !checked) return checked;

  FolderMaker top;
  for (const char* name : {"/blobs", "/tmp", "/trash", "/quarantine"})
    if (auto made = top.make(directory_ + name); !made) return made;
  for (const char* algorithm : {"sha256", "sha512"})
    if (auto made = make_shards(fmt::format("{}/blobs/{}", directory_, algorithm)); !made) return made;
  if (top.made_any() || !formatted) {
    if (auto synced = sync_folder(directory_ + "/blobs"); !synced) return synced;
    if (auto synced = sync_folder(directory_); !synced) return synced;
    const auto parent = std::filesystem::absolute(directory_).lexically_normal().parent_path();
    if (auto synced = sync_folder(parent.string()); !synced) return synced;
  }
  if (!formatted)
    if (auto written = write_format(directory_); !written) return written;

  // A folder in trash/ lay in a blob's place.
  auto emptied = for_each_entry(trash_folder(), [&](const std::string& name) { tell_of(remove_tree(trash(name))); });
  if (!emptied) return emptied;
  return remove_files(directory_ + "/tmp", [&](const std::string& name) {
    const std::string_view text = name;
    return keep_upload && text.starts_with(kUploadPrefix) && keep_upload(text.substr(kUploadPrefix.size()));
  });
}

}  // namespace wherry::store
