#include <wherry/core/text.hpp>
#include <wherry/mcp/resource_context.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp {
namespace {

class resources final : public context_source {
 public:
  resources(client from, resource_context_options options) : from_(std::move(from)), options_(std::move(options)) {}

  std::string const& name() const noexcept override { return options_.name; }
  std::string const& heading() const noexcept override { return options_.heading; }

  task<result<context_answer>> async_gather(context_question question) override {
    auto uris = options_.uris;
    context_answer out;
    if (uris.empty()) {
      auto const listed = co_await from_.async_resources();
      if (!listed) co_return listed.error();
      for (auto const& r : *listed) uris.push_back(r.uri);
    }
    if (uris.size() > options_.resources_max) {
      out.degraded.push_back(std::to_string(uris.size() - options_.resources_max) + " resources beyond the first " +
                             std::to_string(options_.resources_max) + " were not read");
      uris.resize(options_.resources_max);
    }
    std::size_t room = question.bytes_max;
    for (auto const& uri : uris) {
      if (room == 0) {
        out.degraded.push_back(uri + " was not read: there is no room left");
        continue;
      }
      request_options how;
      how.time = options_.time;
      if (question.until != no_deadline)
        how.time =
            std::min(options_.time,
                     std::chrono::ceil<std::chrono::milliseconds>(question.until - std::chrono::steady_clock::now()));
      auto const read = co_await from_.async_read(uri, std::move(how));
      if (!read) {
        out.degraded.push_back(uri + " could not be read: " + read.error().message);
        continue;
      }
      for (auto const& contents : *read) add(contents, uri, room, out);
    }
    co_return out;
  }

 private:
  void add(resource_contents const& contents, std::string const& uri, std::size_t& room, context_answer& out) const {
    auto const& id = contents.uri.empty() ? uri : contents.uri;
    if (contents.binary || !is_valid_utf8(contents.data)) {
      out.degraded.push_back(id + " is no text");
      return;
    }
    context_block block{.source = {}, .id = id, .text = contents.data, .note = contents.mime_type};
    auto const most = std::min(options_.resource_bytes_max, room);
    if (block.text.size() > most) {
      auto const whole = std::to_string(block.text.size());
      block.text.resize(utf8_complete_prefix(std::string_view(block.text).substr(0, most)));
      block.note += (block.note.empty() ? "" : ", ") + ("the beginning; it has " + whole + " bytes");
    }
    room -= block.text.size();
    out.blocks.push_back(std::move(block));
  }

  client from_;
  resource_context_options options_;
};

}  // namespace

std::shared_ptr<context_source> resource_context(client from, resource_context_options options) {
  return std::make_shared<resources>(std::move(from), std::move(options));
}

}  // namespace wherry::inline v0::mcp
