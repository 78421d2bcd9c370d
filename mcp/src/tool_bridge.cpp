#include <wherry/mcp/tool_bridge.hpp>

#include "json_view.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/tools/detail/shared_validator.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace wherry::inline v0 {

namespace mcp {

using namespace detail;
using wherry::detail::shared_validator;

std::string definition_hash(remote_tool const& t) {
  std::string all;
  for (auto const& part : {t.name, t.description, t.input_schema.text, t.output_schema.text}) {
    all += std::to_string(part.size()) + ':';
    all += part;
  }
  return content_hash(all);
}

namespace {

/// What the tools of one server share.
struct bridge {
  bridge(client c, bridge_options o) : server(std::move(c)), options(std::move(o)) {}
  client server;
  bridge_options options;
  std::mutex mutex;
  std::map<std::string, std::string> agreed;  ///< Hashes by remote name.
};

std::string local_name(std::string const& remote, std::string const& prefix) {
  std::string name = prefix + remote;
  for (auto& c : name) {
    bool const plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  if (name.size() > 64) name.resize(64);
  return name;
}

/// One tool, as it was agreed to.
struct remote {
  std::string name;
  std::shared_ptr<shared_validator> arguments;
  bool gives_value = false;  ///< It has an output schema, and its results are values of it.
};

/// At the definition, for one call: the server may be started again between the look and the call.
constexpr int looks_max = 3;

/// Fails unless the tool is listed as it was agreed to. A list that is still good costs nothing; one that was announced
/// to have changed is fetched again.
task<result<void>> look_at(std::shared_ptr<bridge> b, std::string name) {
  auto listed = co_await b->server.async_tools();
  if (!listed) co_return std::move(listed).error();
  auto const now = std::ranges::find(*listed, name, &remote_tool::name);
  bool same = now != listed->end();
  if (same) {
    std::lock_guard const lock(b->mutex);
    same = b->agreed[name] == definition_hash(*now);
  }
  if (!same)
    co_return error(errc::denied,
                    "the server has changed the tool \"" + name +
                        "\" since it was agreed to; it is not called until it is agreed to again",
                    "mcp.tool_bridge", name);
  co_return result<void>{};
}

/// What a model, or a program, gets of a result.
result<std::string> content_of(remote const& t, call_result done) {
  if (done.failed) return error(errc::tool_failed, text_for_model(done), "mcp.tool_bridge", t.name);
  if (!t.gives_value) return text_for_model(done);
  if (done.structured.text.empty())
    return error(
        errc::tool_failed,
        "the remote tool \"" + t.name + "\" ran, but sent no structured content, which its output schema promises",
        "mcp.tool_bridge", t.name);
  return std::move(done.structured.text);
}

task<result<std::string>> call_remote(std::shared_ptr<bridge> b, remote t, std::string arguments,
                                      tool_context context) {
  request_options how;
  if (!context.effect_key.empty()) how.meta.text = R"({"wherry/effectKey":")" + context.effect_key + "\"}";
  for (int look = 1;; ++look) {
    how.generation = b->server.generation();
    auto same = co_await look_at(b, t.name);
    if (!same) co_return std::move(same).error();
    if (context.until != no_deadline) {
      auto const left =
          std::chrono::duration_cast<std::chrono::milliseconds>(context.until - std::chrono::steady_clock::now());
      how.time = std::max(left, std::chrono::milliseconds(1));
    }
    raw_json given{arguments};
    auto done = co_await b->server.async_call(t.name, std::move(given), how);
    if (!done && done.error().is(errc::conflict) && look < looks_max) continue;
    if (!done) co_return std::move(done).error();
    co_return content_of(t, std::move(*done));
  }
}

error unusable(remote_tool const& t, error e) {
  e.message = "the schema of the remote tool \"" + t.name + "\" cannot be used: " + e.message;
  return e;
}

result<wherry::tool> make_tool(std::shared_ptr<bridge> b, remote_tool const& t) {
  auto schema = shared_validator::make(t.input_schema);
  if (!schema) return unusable(t, std::move(schema).error());
  remote const called{.name = t.name,
                      .arguments = std::move(*schema),
                      .gives_value = !t.output_schema.text.empty() && b->options.structured};
  tool_spec spec{local_name(t.name, b->options.prefix), t.description, t.input_schema};
  auto bind = [b, called](std::string_view arguments) -> result<bound_call> {
    std::string text(arguments.empty() ? std::string_view("{}") : arguments);
    if (auto const fits = called.arguments->check(text); !fits) {
      auto e = fits.error();
      e.code = make_error_code(errc::output_invalid);
      return e;
    }
    bound_call bound;
    bound.later = [b, called, text = std::move(text)](tool_context context) {
      return call_remote(b, called, text, std::move(context));
    };
    return bound;
  };
  result<wherry::tool> whole = called.gives_value
                                   ? wherry::tool::with_output(std::move(spec), t.output_schema, std::move(bind))
                                   : wherry::tool(std::move(spec), std::move(bind));
  if (!whole) return unusable(t, std::move(whole).error());
  auto made = std::move(*whole);
  if (b->options.believe_reads && t.reads) made = made.reads();
  if (b->options.time_limit) made = made.deadline(*b->options.time_limit);
  return made;
}

bool wanted(remote_tool const& t, bridge_options const& o) {
  return o.only.empty() || std::ranges::find(o.only, t.name) != o.only.end();
}

}  // namespace

task<result<std::vector<wherry::tool>>> async_remote_tools(client of, bridge_options options) {
  auto const b = std::make_shared<bridge>(of, std::move(options));
  auto listed = co_await of.async_tools();
  if (!listed) co_return std::move(listed).error();
  std::vector<wherry::tool> all;
  std::string changed;
  for (auto const& t : *listed) {
    if (!wanted(t, b->options)) continue;
    auto const hash = definition_hash(t);
    auto const pin = b->options.pins.find(t.name);
    bool const pinned = b->options.pins.empty() || (pin != b->options.pins.end() && pin->second == hash);
    if (!pinned && !(b->options.agree && b->options.agree(t))) {
      changed += (changed.empty() ? "" : ", ") + t.name;
      continue;
    }
    b->agreed[t.name] = hash;
    auto made = make_tool(b, t);
    if (!made) co_return std::move(made).error();
    all.push_back(std::move(*made));
  }
  if (all.empty() && !changed.empty())
    co_return error(errc::denied, "these tools are not what was agreed to: " + changed, "mcp.tool_bridge");
  co_return all;
}

result<std::vector<wherry::tool>> remote_tools(client of, bridge_options options) {
  return run_blocking(async_remote_tools(std::move(of), std::move(options)), "mcp::remote_tools",
                      "mcp::async_remote_tools");
}

std::string text_for_model(call_result const& r) {
  std::string out;
  auto const line = [&](std::string_view text) {
    if (!out.empty()) out += '\n';
    out += text;
  };
  for (auto const& block : r.content) {
    switch (block.kind) {
      case content::kind_type::text: line(block.data); break;
      case content::kind_type::image:
        line("[an image, " + block.mime_type + ", " + std::to_string(block.data.size()) + " bytes]");
        break;
      case content::kind_type::audio:
        line("[sound, " + block.mime_type + ", " + std::to_string(block.data.size()) + " bytes]");
        break;
      case content::kind_type::link:
        line("[resource " + block.resource.uri + (block.name.empty() ? "" : ": " + block.name) + "]");
        break;
      case content::kind_type::resource:
        line(block.resource.binary
                 ? "[resource " + block.resource.uri + ", " + std::to_string(block.resource.data.size()) + " bytes]"
                 : block.resource.data);
        break;
      case content::kind_type::other: line(block.source.text); break;
    }
  }
  if (out.empty()) out = r.structured.text;
  return out;
}

std::vector<message> to_messages(prompt_result const& p) {
  std::vector<message> all;
  for (auto const& m : p.messages) {
    content_part part = text_part{m.content.data};
    if (m.content.kind == content::kind_type::image) part = image_part{m.content.mime_type, m.content.data, {}};
    if (m.content.kind == content::kind_type::audio) part = audio_part{m.content.mime_type, m.content.data, {}};
    if (m.content.kind == content::kind_type::resource && !m.content.resource.binary)
      part = text_part{m.content.resource.data};
    message one{m.from_user ? role::user : role::assistant, {}};
    one.parts.push_back(std::move(part));
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace mcp

// ---------------------------------------------------------------- mcp_server

namespace {

/// Words of a command line: split at spaces, quotes keep them together, a backslash takes the next character as it is.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char const c = line[i];
    if (quote) {
      if (c == quote)
        quote = 0;
      else
        word += c == '\\' && quote == '"' && i + 1 < line.size() ? line[++i] : c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t') {
      if (open) words.push_back(std::exchange(word, {}));
      open = false;
    } else {
      word += c == '\\' && i + 1 < line.size() ? line[++i] : c;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

}  // namespace

struct mcp_server::impl {
  std::string where;
  mcp_server_options options;
  std::mutex mutex;
  std::optional<mcp::client> connected;

  result<mcp::client> connect() {
    std::lock_guard const lock(mutex);
    if (connected) return *connected;
    bool const url = where.starts_with("http://") || where.starts_with("https://");
    auto made = [&] {
      if (url) {
        auto to = options.http;
        to.url = where;
        return mcp::client::connect(to, options.client);
      }
      mcp::stdio_server to;
      to.command = words_of(where);
      to.directory = options.directory;
      to.environment = options.environment;
      to.restart = options.restart;
      return mcp::client::connect(to, options.client);
    }();
    if (made) connected = *made;
    return made;
  }
};

mcp_server::mcp_server(std::string command_or_url, mcp_server_options options) : impl_(std::make_shared<impl>()) {
  impl_->where = std::move(command_or_url);
  impl_->options = std::move(options);
}

result<mcp::client> mcp_server::client() const { return impl_->connect(); }

result<std::vector<tool>> mcp_server::tools() const {
  auto connected = client();
  if (!connected) return std::move(connected).error();
  return mcp::remote_tools(*connected, impl_->options.tools);
}

}  // namespace wherry::inline v0
