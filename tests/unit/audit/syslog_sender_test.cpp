#include "master/audit/syslog_sender.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "common/net/address.h"
#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

/// A receiver of syslog on a port of its own.
class Receiver {
 public:
  explicit Receiver(bool tcp, std::uint16_t port = 0)
      : fd_(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0)) {
    auto address = SocketAddress::parse("127.0.0.1:" + std::to_string(port)).value();
    const int on = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int small = 4096;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    WHERRY_CHECK(::bind(fd_.get(), address.raw(), address.length) == 0);
    WHERRY_CHECK(!tcp || ::listen(fd_.get(), 8) == 0);
  }
  std::uint16_t port() const { return SocketAddress::local_of(fd_.get()).port(); }
  int fd() const { return fd_.get(); }
  UniqueFd accept() const {
    WHERRY_CHECK(readable(fd_.get()));
    return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  static bool readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 10'000) == 1;
  }
  SyslogTarget target(bool tcp) const {
    SyslogTarget target;
    target.tcp = tcp;
    target.host = "127.0.0.1";
    target.port = port();
    return target;
  }

 private:
  UniqueFd fd_;
};

/// The next octet-counted frame of a connection; empty when there is none.
std::string next_frame(int fd) {
  std::string length;
  for (char c = 0; Receiver::readable(fd) && ::recv(fd, &c, 1, 0) == 1 && c != ' ';) length += c;
  if (length.empty()) return "";
  std::string frame(std::stoul(length), '\0');
  return ::recv(fd, frame.data(), frame.size(), MSG_WAITALL) == static_cast<ssize_t>(frame.size()) ? frame : "";
}

bool tells_of(const std::string& frame, int number) {
  return frame.starts_with("<110>1 ") && frame.ends_with(" by user alice from 10.0.0.7") &&
         frame.find("target=\"" + std::to_string(number) + "\"") != std::string::npos;
}

class SyslogSenderTest : public AuditFolder {
 protected:
  static std::string audit_line(int number) {
    return line_of(static_cast<std::uint64_t>(number) + 1, kNoHash,
                   body_of(event_of("login", std::to_string(number)), WallTime())) +
           "\n";
  }
};

TEST_F(SyslogSenderTest, ATcpReceiverGetsOctetCountedFramesOfWhatWasRecorded) {
  const Receiver receiver(true);
  AuditOptions options;
  options.syslog = receiver.target(true);
  auto log = open(options);
  std::vector<AuditEvent> events;
  for (int i = 0; i < 20; ++i) events.push_back(event_of("login", std::to_string(i)));
  ASSERT_TRUE(record_all(*log, std::move(events)));
  const UniqueFd connection = receiver.accept();
  for (int i = 0; i < 20; ++i) {
    const std::string frame = next_frame(connection.get());
    EXPECT_TRUE(tells_of(frame, i)) << frame;
  }
}

TEST_F(SyslogSenderTest, AUdpReceiverGetsADatagramAnEvent) {
  const Receiver receiver(false);
  SyslogSender sender(receiver.target(false), SyslogOrigin(), metrics_);
  sender.send(audit_line(0) + audit_line(1));
  for (int i = 0; i < 2; ++i) {
    std::array<char, 4096> datagram{};
    ASSERT_TRUE(Receiver::readable(receiver.fd()));
    const ssize_t size = ::recv(receiver.fd(), datagram.data(), datagram.size(), 0);
    ASSERT_GT(size, 0);
    EXPECT_TRUE(tells_of(std::string(datagram.data(), static_cast<std::size_t>(size)), i));
  }
}

TEST_F(SyslogSenderTest, AReceiverThatComesBackGetsWhatItMissed) {
  std::optional<Receiver> receiver(true);
  const SyslogTarget target = receiver->target(true);
  receiver.reset();
  SyslogSender sender(target, SyslogOrigin(), metrics_);
  sender.send(audit_line(0));
  while (metric("wherry_audit_syslog_failures_total") == "0") std::this_thread::yield();
  receiver.emplace(true, target.port);
  {
    const UniqueFd connection = receiver->accept();
    EXPECT_TRUE(tells_of(next_frame(connection.get()), 0));
  }
  sender.send(audit_line(1));
  const UniqueFd again = receiver->accept();
  EXPECT_TRUE(tells_of(next_frame(again.get()), 1)) << "a closed connection is seen before it is used";
}

TEST_F(SyslogSenderTest, AReceiverThatTakesNothingDelaysNobody) {
  const Receiver stuck(true);
  AuditOptions options;
  options.syslog = stuck.target(true);
  auto log = open(options);
  const AuditEvent long_texts = event_of("login", std::string(kMaxTextBytes, 't'), std::string(kMaxTextBytes, 'a'));
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 203; ++j) log->note(long_texts);
    ASSERT_TRUE(record(*log, event_of("login"))) << "answered while nobody takes syslog";
  }
  EXPECT_LT(std::stoi(metric("wherry_audit_syslog_sent_total")), 1'000) << "more than the kernel holds";
  EXPECT_EQ(metric("wherry_audit_dropped_total"), "0");
  EXPECT_EQ(metric("wherry_audit_events_total"), "1020");
  const auto begun = std::chrono::steady_clock::now();
  log.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5 * SyslogSender::kEndTime);
}

TEST_F(SyslogSenderTest, WhatFindsTheQueueFullIsDroppedAndCounted) {
  std::optional<Receiver> receiver(true);
  const SyslogTarget target = receiver->target(true);
  receiver.reset();
  {
    SyslogSender sender(target, SyslogOrigin(), metrics_);
    for (std::size_t i = 0; i < SyslogSender::kQueueBound + 5; ++i) sender.send(audit_line(0));
    EXPECT_EQ(metric("wherry_audit_syslog_dropped_total"), "5");
  }
  EXPECT_EQ(metric("wherry_audit_syslog_dropped_total"), std::to_string(SyslogSender::kQueueBound + 5))
      << "what it still had when it ended";
  EXPECT_EQ(metric("wherry_audit_syslog_sent_total"), "0");
}

}  // namespace
}  // namespace wherry::audit
