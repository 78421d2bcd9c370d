#include <wherry/mcp/memory_server.hpp>

#include <wherry/memory/memory_files.hpp>
#include <wherry/memory/transaction.hpp>

#include <algorithm>

namespace wherry::inline v0 {

namespace mcp_memory {

struct remember_in {
  std::string text;
  std::optional<std::string> kind;
  std::optional<std::string> subject;
  std::optional<std::string> attribute;
};
struct remember_out {
  std::string id;
  std::string outcome;
  std::optional<std::string> ended;
};
struct recall_in {
  std::string query;
  std::optional<int> limit;
  std::optional<std::vector<std::string>> kinds;
};
struct memory {
  std::string id;
  std::string kind;
  std::string text;
  std::string since;
  double score = 0;
  std::string why;
};
struct recall_out {
  std::vector<memory> memories;
};
struct forget_in {
  std::string id;
};
struct session_line {
  std::string name;
  std::string last;
  std::uint64_t events = 0;
};
struct sessions_out {
  std::vector<session_line> sessions;
};
struct read_in {
  std::string name;
  std::optional<int> last;
};
struct said {
  std::string role;
  std::string text;
};
struct read_out {
  std::vector<said> messages;
};

}  // namespace mcp_memory

template <>
inline constexpr auto describe<mcp_memory::remember_in> = std::tuple{
    field<&mcp_memory::remember_in::text>("What to remember, one fact in one sentence"),
    field<&mcp_memory::remember_in::kind>("fact, preference, procedure, episode or summary; fact unless given"),
    field<&mcp_memory::remember_in::subject>("What it is about, e.g. user"),
    field<&mcp_memory::remember_in::attribute>(
        "What it says of its subject, e.g. home city; a newer one ends an older")};
template <>
inline constexpr auto describe<mcp_memory::recall_in> =
    std::tuple{field<&mcp_memory::recall_in::query>("What to look for, in words"),
               field<&mcp_memory::recall_in::limit>("At most so many; 8 unless given").range(1, 50),
               field<&mcp_memory::recall_in::kinds>("Only these kinds")};
template <>
inline constexpr auto describe<mcp_memory::forget_in> =
    std::tuple{field<&mcp_memory::forget_in::id>("The id that remember or recall gave")};
template <>
inline constexpr auto describe<mcp_memory::read_in> =
    std::tuple{field<&mcp_memory::read_in::name>("Name of the session"),
               field<&mcp_memory::read_in::last>("Only the last so many messages; 20 unless given").range(1, 1000)};

namespace mcp {

using namespace mcp_memory;

void add_memory(server& s, scope_handle scope) {
  auto remember = [scope](remember_in const& in) -> result<remember_out> {
    record r;
    r.text = in.text;
    r.kind = in.kind.value_or("fact");
    r.subject = in.subject.value_or("");
    r.attribute = in.attribute.value_or("");
    r.origin = record_origin::agent;
    transaction tx(scope);
    tx.remember(std::move(r));
    if (auto const done = tx.commit(); !done) return done.error();
    auto const& report = tx.reports().front();
    remember_out out{.id = report.id.text(), .outcome = to_string(report.outcome)};
    if (report.other != ulid{}) out.ended = report.other.text();
    return out;
  };
  auto recall = [scope](recall_in const& in) -> result<recall_out> {
    recall_query query;
    query.text = in.query;
    query.limit = static_cast<std::size_t>(in.limit.value_or(8));
    query.kinds = in.kinds.value_or(std::vector<std::string>{});
    auto const found = scope.recall(query);
    if (!found) return found.error();
    recall_out out;
    for (auto const& hit : found->hits)
      out.memories.push_back({.id = hit.record.id.text(),
                              .kind = hit.record.kind,
                              .text = hit.record.text,
                              .since = to_rfc3339(hit.record.valid_from ? hit.record.valid_from : hit.record.created),
                              .score = hit.score,
                              .why = explain(hit)});
    return out;
  };
  auto forget = [scope](forget_in const& in) -> result<void> {
    auto const id = ulid::parse(in.id);
    if (!id) return error{errc::invalid_argument, "\"" + in.id + "\" is no id of a memory", "mcp.memory"};
    transaction tx(scope);
    tx.forget(*id);
    if (auto const done = tx.commit(); !done) return done.error();
    return {};
  };
  auto list_sessions = [scope]() -> result<sessions_out> {
    auto const all = scope.sessions();
    if (!all) return all.error();
    sessions_out out;
    for (auto const& one : *all) out.sessions.push_back({one.name, to_rfc3339(one.last_time), one.last_seq});
    return out;
  };
  auto read_session = [scope](read_in const& in) -> result<read_out> {
    auto const history = scope.session(in.name).history();
    if (!history) return history.error();
    if (history->empty())
      return error{errc::not_found, "there is nothing in a session \"" + in.name + "\"", "mcp.memory"};
    read_out out;
    auto const count = std::min(history->size(), static_cast<std::size_t>(in.last.value_or(20)));
    for (auto const& m : std::span(*history).last(count)) out.messages.push_back({to_string(m.role), m.text()});
    return out;
  };
  auto on_files = [files = memory_files(scope)](file_command const& what) { return carry_out(files, what); };
  s.add(
      tool("memory",
           "Text files kept between conversations, below /memories: view, create, str_replace, insert, delete, rename.",
           on_files)
          .hints(true, false, false));
  s.add(tool("remember", "Keeps a fact about the user or the work for later conversations.", remember)
            .hints(false, true, false));
  s.add(tool("recall", "Finds what was remembered, best first.", recall).reads());
  s.add(tool("forget", "Takes a memory away.", forget).hints(true, true, false));
  s.add(tool("list_sessions", "Lists the conversations that were kept.", list_sessions).reads());
  s.add(tool("read_session", "Reads the last messages of a conversation.", read_session).reads());
}

}  // namespace mcp
}  // namespace wherry::inline v0
