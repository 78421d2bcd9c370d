#include "program_embedder.hpp"

#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/core/hash.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <stdexcept>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace wherry;

namespace bench_memory {
namespace {

constexpr int answer_time_ms = 600'000;
constexpr int start_time_ms = 60'000;

class program_embedder final : public embedder {
 public:
  explicit program_embedder(std::string const& command) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socket");
    link_ = detail::owned_fd(ends[0]);
    detail::owned_fd const theirs(ends[1]);
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("cannot start " + command);
    if (child_ == 0) {
      ::dup2(theirs.get(), STDIN_FILENO);
      ::dup2(theirs.get(), STDOUT_FILENO);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    auto const what = nlohmann::json::parse(line(start_time_ms));
    info_.name = what.at("name");
    info_.dimensions = what.at("dimensions");
    info_.fingerprint = info_.name + " " + std::to_string(info_.dimensions);
  }
  program_embedder(program_embedder const&) = delete;
  ~program_embedder() override {
    link_ = detail::owned_fd();  // end of its input
    ::waitpid(child_, nullptr, 0);
  }

  encoder_info const& info() const noexcept override { return info_; }

  task<result<embeddings>> async_embed(std::vector<std::string> texts, text_purpose /*purpose*/,
                                       encode_text_options /*options*/) override {
    auto made = ask(texts);
    co_return made;
  }

 private:
  result<embeddings> ask(std::vector<std::string> const& texts) {
    std::lock_guard const lock(mutex_);
    nlohmann::json question;
    question["texts"] = texts;
    say(question.dump() + '\n');
    auto const answer = nlohmann::json::parse(line(answer_time_ms));
    embeddings out;
    out.dimensions = info_.dimensions;
    for (auto const& vector : answer.at("vectors"))
      for (float const x : vector) out.values.push_back(x);
    if (out.size() != texts.size()) throw std::runtime_error(info_.name + " answered with another number of vectors");
    return out;
  }

  void say(std::string_view text) {
    while (!text.empty()) {
      auto const n = ::send(link_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw std::runtime_error("the embedder's program does not read");
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  std::string line(int time_ms) {
    for (;;) {
      if (auto const end = heard_.find('\n'); end != std::string::npos) {
        auto out = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return out;
      }
      pollfd wait{link_.get(), POLLIN, 0};
      if (::poll(&wait, 1, time_ms) <= 0) throw std::runtime_error("the embedder's program does not answer");
      char part[65536];
      auto const n = ::read(link_.get(), part, sizeof part);
      if (n <= 0) throw std::runtime_error("the embedder's program has ended");
      heard_.append(part, static_cast<std::size_t>(n));
    }
  }

  encoder_info info_;
  detail::owned_fd link_;
  pid_t child_ = -1;
  std::mutex mutex_;
  std::string heard_;
};

}  // namespace

std::shared_ptr<embedder> start_program_embedder(std::string const& command) {
  return std::make_shared<program_embedder>(command);
}

}  // namespace bench_memory
