#include "master/audit/syslog_sender.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/log.h"

namespace wherry::audit {
namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Addresses resolve(const SyslogTarget& target) {
  addrinfo hints{};
  hints.ai_socktype = target.tcp ? SOCK_STREAM : SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found) != 0) found = nullptr;
  return {found, [](addrinfo* list) {
            if (list != nullptr) ::freeaddrinfo(list);
          }};
}

/// Whether the receiver has closed the connection: it says nothing else.
bool is_closed(int fd) {
  std::array<char, 512> ignored{};
  ssize_t got = 0;
  do got = ::recv(fd, ignored.data(), ignored.size(), MSG_DONTWAIT);
  while (got > 0 || (got < 0 && errno == EINTR));
  return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

SyslogSender::SyslogSender(SyslogTarget target, SyslogOrigin origin, Metrics& metrics)
    : target_(std::move(target)),
      origin_(std::move(origin)),
      sent_(metrics.counter("wherry_audit_syslog_sent_total", "Events of the audit log given to the syslog receiver")),
      dropped_(metrics.counter("wherry_audit_syslog_dropped_total",
                               "Events of the audit log that the syslog receiver was too slow for")),
      failures_(metrics.counter("wherry_audit_syslog_failures_total",
                                "Times that the syslog receiver could not be reached or stopped taking events")),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { serve(); }) {}

SyslogSender::~SyslogSender() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    end_at_ = std::chrono::steady_clock::now() + kEndTime;
  }
  ::eventfd_write(wake_.get(), 1);
  changed_.notify_one();
  thread_.join();
  dropped_.add(queue_.size());
}

void SyslogSender::send(std::string_view lines) {
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    while (!lines.empty()) {
      const std::string_view line = take_line(lines);
      if (queue_.size() >= kQueueBound || queued_bytes_ + line.size() > kQueueBytes) {
        ++dropped;
        continue;
      }
      queued_bytes_ += line.size();
      queue_.emplace_back(line);
    }
  }
  changed_.notify_one();
  if (dropped > 0) dropped_.add(dropped);
}

void SyslogSender::serve() {
  ::pthread_setname_np(::pthread_self(), "audit-syslog");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  auto wait = kFirstWait;
  while (true) {
    std::string line;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !queue_.empty() || ending_; });
      if (queue_.empty()) return;
      line = queue_.front();
    }
    auto record = parse_record(std::move(line));
    const Sent sent = record ? send_now(syslog_line(*record, origin_)) : Sent::kNever;
    if (sent == Sent::kAgain) {
      failures_.add();
      if (wait == kFirstWait)
        log::warn("the syslog receiver of the audit log takes no events; trying again",
                  {{"receiver", target_.to_string()}});
      if (!sleep(wait)) return;
      wait = std::min(wait * 2, kLongestWait);
      continue;
    }
    if (sent == Sent::kYes && wait != kFirstWait) {
      log::info("the syslog receiver of the audit log takes events again", {{"receiver", target_.to_string()}});
      wait = kFirstWait;
    }
    (sent == Sent::kYes ? sent_ : dropped_).add();
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
  }
}

bool SyslogSender::time_is_over() {
  const std::lock_guard lock(mutex_);
  return ending_ && std::chrono::steady_clock::now() >= end_at_;
}

bool SyslogSender::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return ending_; });
  return !ending_;
}

bool SyslogSender::wait_writable(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  while (!time_is_over()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> waits{{{socket_.get(), POLLOUT, 0}, {wake_.get(), POLLIN, 0}}};
    bool ending = false;
    {
      const std::lock_guard lock(mutex_);
      ending = ending_;
    }
    // Once it is told to end it waits no longer than kEndTime, in short turns.
    const auto turn = ending ? std::min(left, std::chrono::milliseconds(50)) : left;
    if (::poll(waits.data(), ending ? 1 : 2, static_cast<int>(turn.count())) < 0 && errno != EINTR) return false;
    if (waits[0].revents != 0) return true;
  }
  return false;
}

bool SyslogSender::connect_to_target() {
  const Addresses addresses = resolve(target_);
  for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
    socket_.reset(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, each->ai_protocol));
    if (!socket_) continue;
    if (::connect(socket_.get(), each->ai_addr, each->ai_addrlen) == 0) return true;
    int error = 0;
    socklen_t size = sizeof error;
    if (errno == EINPROGRESS && wait_writable(kConnectTime) &&
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
      return true;
  }
  socket_.reset();
  return false;
}

SyslogSender::Sent SyslogSender::send_now(const std::string& message) {
  if (target_.tcp && socket_ && is_closed(socket_.get())) socket_.reset();
  if (!socket_ && !connect_to_target()) return Sent::kAgain;
  const Sent sent = target_.tcp ? send_stream(octet_counted(message)) : send_datagram(message);
  if (sent == Sent::kAgain) socket_.reset();
  return sent;
}

SyslogSender::Sent SyslogSender::send_datagram(const std::string& message) {
  // A refusal tells of the datagram before this one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) return Sent::kYes;
    if (errno == EMSGSIZE) return Sent::kNever;
    if (errno == EAGAIN && !wait_writable(kStuckTime)) return Sent::kAgain;
  }
  return Sent::kAgain;
}

SyslogSender::Sent SyslogSender::send_stream(const std::string& message) {
  for (std::size_t done = 0; done < message.size();) {
    const ssize_t took = ::send(socket_.get(), message.data() + done, message.size() - done, MSG_NOSIGNAL);
    if (took >= 0) {
      done += static_cast<std::size_t>(took);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_writable(kStuckTime)) return Sent::kAgain;
    } else if (errno != EINTR) {
      return Sent::kAgain;
    }
  }
  return Sent::kYes;
}

}  // namespace wherry::audit
