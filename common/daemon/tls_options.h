// What configuration says of the TLS of a listener.
#pragma once

#include <string>

#include "common/config/config_file.h"
#include "common/net/address.h"
#include "common/net/tls_identity.h"

namespace wherry {

/// Reads the section `key` (certificate-file, key-file, client-ca-file, minimum-version, kernel); empty when it is not
/// there. Errors: kInvalid, naming file, line and key. The files themselves are read by TlsIdentity.
Result<TlsFiles> read_tls(ConfigSection& file, const std::string& key);

/// Where a command on the same machine reaches the listener `address`, whose TLS is in the section `key` of the same
/// file: "https://127.0.0.1:5000". Errors: those of read_tls().
Result<std::string> url_from_here(const SocketAddress& address, ConfigSection& file, const std::string& key);

}  // namespace wherry
