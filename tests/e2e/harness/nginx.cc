#include "tests/e2e/harness/nginx.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace perigee::e2e {
namespace {

/// A loopback address that no other test listens on, since it is made of this process's id: there a
/// port needs no search, and nobody can take it in between.
std::string own_address() {
  const auto id = static_cast<unsigned>(::getpid());
  return "127." + std::to_string(1 + (id >> 16) % 254) + "." + std::to_string((id >> 8) & 255) +
         "." + std::to_string(id & 255);
}
constexpr uint16_t kPort = 8081;

bool answers(const std::string& host) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace

Nginx::Nginx(const std::string& root, const std::string& inside) : host_(own_address()) {
  const std::string config = folder_.write("nginx.conf", R"(
      daemon off; master_process off; worker_processes 1;
      pid )" + folder_.file("pid") + R"(; error_log stderr;
      events { worker_connections 512; }
      http {
        include /etc/nginx/mime.types;
        access_log )" + folder_.file("access.log") +
                                                             R"( combined;
        client_body_temp_path )" + folder_.file("body") + R"(;
        proxy_temp_path )" + folder_.file("proxy") + R"(;
        fastcgi_temp_path )" + folder_.file("fastcgi") + R"(;
        uwsgi_temp_path )" + folder_.file("uwsgi") + R"(;
        scgi_temp_path )" + folder_.file("scgi") + R"(;
        server { listen )" + host_ + ":" + std::to_string(kPort) +
                                                             R"(; root )" + root + R"(; )" +
                                                             inside + R"( }
      })");
  process_ = std::make_unique<Process>(ProcessOptions{
      .arguments = {"/usr/sbin/nginx", "-p", folder_.path(), "-e", "stderr", "-c", config}});
  eventually([this] { return !process_->running() || answers(host_); });
}

std::string Nginx::url() const { return "http://" + host_ + ":" + std::to_string(kPort); }

bool Nginx::running() { return process_->running() && answers(host_); }

void Nginx::stop() {
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait(), 0) << process_->err();
}

}  // namespace perigee::e2e
