#include "common/bundle/tar_writer.h"

#include <unistd.h>

#include <cerrno>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/bundle/tar_header.h"

namespace wherry::bundle {

Result<TarWriter> TarWriter::create(const std::string& path) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (!file) return file.error();
  return TarWriter(std::move(*file));
}

void TarWriter::begin(std::string name) {
  name_ = std::move(name);
  header_at_ = at_;
  data_at_ = at_ = at_ + tar_header_bytes(name_);
}

Result<void> TarWriter::append(std::span<const std::byte> bytes) {
  auto written = write_all(file_.get(), bytes, at_);
  if (written) at_ += bytes.size();
  return written;
}

Result<void> TarWriter::end() {
  const std::uint64_t size = at_ - data_at_;
  const std::string padding(tar_padding(size), '\0');
  auto written = append(as_bytes(padding));
  if (!written) return written;
  return write_all(file_.get(), as_bytes(tar_header(name_, size)), header_at_);
}

Result<void> TarWriter::drop() {
  at_ = header_at_;
  if (::ftruncate(file_.get(), static_cast<off_t>(at_)) != 0) return system_error(errno, "cut the bundle");
  return {};
}

Result<void> TarWriter::add(std::string name, std::string_view content) {
  begin(std::move(name));
  auto written = append(as_bytes(content));
  if (!written) return written;
  return end();
}

Result<void> TarWriter::restart() {
  header_at_ = 0;
  return drop();
}

Result<void> TarWriter::finish() {
  const std::string zeros(2 * kTarBlockBytes, '\0');
  auto written = append(as_bytes(zeros));
  if (!written) return written;
  if (::fsync(file_.get()) != 0) return system_error(errno, "sync the bundle");
  return {};
}

}  // namespace wherry::bundle
