#include "common/daemon/tls_options.h"

namespace wherry {

Result<TlsFiles> read_tls(ConfigSection& file, const std::string& key) {
  TlsFiles files;
  auto section = file.section(key);
  if (!section) return section.error();
  if (auto read = section->read("certificate-file", files.certificate); !read) return read.error();
  if (auto read = section->read("key-file", files.key); !read) return read.error();
  if (auto read = section->read("client-ca-file", files.client_ca); !read) return read.error();
  if (auto read = section->read("kernel", files.kernel); !read) return read.error();
  std::string oldest = "1.2";
  if (auto read = section->read("minimum-version", oldest); !read) return read.error();
  if (oldest != "1.2" && oldest != "1.3")
    return Error(ErrorKind::kInvalid, "{}: '{}' is neither 1.2 nor 1.3", section->place_of("minimum-version"), oldest);
  if (oldest == "1.3") files.oldest = TlsFiles::Version::k1_3;
  if (files.certificate.empty() != files.key.empty() || (files.certificate.empty() && !files.client_ca.empty()))
    return Error(ErrorKind::kInvalid, "{}: certificate-file and key-file belong together", file.place_of(key));
  if (auto finished = section->finish(); !finished) return finished.error();
  return files;
}

Result<std::string> url_from_here(const SocketAddress& address, ConfigSection& file, const std::string& key) {
  auto files = read_tls(file, key);
  if (!files) return files.error();
  return (files->empty() ? "http://" : "https://") + address.reached_from_here().to_string();
}

}  // namespace wherry
