#include "shared_server.hpp"

#include "chat_tools.hpp"
#include "demo_tools.hpp"
#include "version.hpp"

#include <wherry/mcp/memory_server.hpp>

#include <algorithm>

namespace wherry::cli {
namespace {

std::vector<std::string> words_of(std::string const& profile) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < profile.size();) {
    auto const end = std::min(profile.find(',', at), profile.size());
    words.push_back(profile.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

mcp::server make_server(mcp::request_secrets secrets) {
  mcp::server_options options;
  options.secret = std::move(secrets.current);
  options.previous_secret = std::move(secrets.previous);
  options.instructions =
      "Long-term memory and tools of this machine's user. Recall before answering what may have been said before; "
      "remember what will matter later, one fact at a time.";
  return mcp::server{"wherry", std::string(version_text), std::move(options)};
}

void add_tools(mcp::server& s, std::vector<std::string> const& names) {
  for (auto const& t : demo_tools())
    if (std::ranges::find(names, t.name()) != names.end()) s.add(t);
}

std::string profile_of(std::vector<std::string> const& words) {
  std::string all;
  for (auto const& w : words) all += (all.empty() ? "" : ",") + w;
  return all;
}

std::function<mcp::server(scope_handle, std::string const& profile)> shared_server(mcp::request_secrets secrets,
                                                                                   std::function<void()> brought) {
  return [secrets = std::move(secrets), brought = std::move(brought)](scope_handle of, std::string const& profile) {
    auto s = make_server(secrets);
    auto const words = words_of(profile);
    if (std::ranges::find(words, chat_profile) != words.end()) add_chat_tools(s, of, brought);
    mcp::add_memory(s, std::move(of));
    add_tools(s, words);
    return s;
  };
}

}  // namespace wherry::cli
