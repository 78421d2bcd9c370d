#include <wherry/agent/memory_tools.hpp>
#include <wherry/core/json.hpp>
#include <wherry/memory/transaction.hpp>

#include <optional>
#include <string>

namespace wherry::inline v0 {
namespace memory_tool_detail {

struct remember_in {
  std::string fact;
  std::optional<std::string> subject;
  std::optional<std::string> attribute;
};
struct recall_in {
  std::string question;
};
struct forget_in {
  std::string id;
};

}  // namespace memory_tool_detail

template <>
inline constexpr auto describe<memory_tool_detail::remember_in> = std::tuple{
    field<&memory_tool_detail::remember_in::fact>(
        "One fact as a whole sentence, with names instead of \"he\" or \"it\""),
    field<&memory_tool_detail::remember_in::subject>("Whom or what it is about, e.g. user"),
    field<&memory_tool_detail::remember_in::attribute>(
        "What it says of the subject, e.g. home city; an earlier fact of the same subject and attribute is ended")};
template <>
inline constexpr auto describe<memory_tool_detail::recall_in> = std::tuple{
    field<&memory_tool_detail::recall_in::question>("What you want to know, in the words it may have been said in")};
template <>
inline constexpr auto describe<memory_tool_detail::forget_in> =
    std::tuple{field<&memory_tool_detail::forget_in::id>("The id that recall showed in brackets")};

namespace {

using namespace memory_tool_detail;

result<std::string> remember(scope_handle const& scope, remember_in const& in) {
  transaction tx{scope};
  record r{.kind = "fact", .text = in.fact, .origin = record_origin::agent};
  r.subject = in.subject.value_or("");
  r.attribute = in.attribute.value_or("");
  tx.remember(std::move(r));
  if (auto done = tx.commit(); !done) return done.error();
  switch (tx.reports().at(0).outcome) {
    case remembered::created: return std::string("remembered");
    case remembered::superseded: return std::string("remembered; an earlier fact is ended");
    case remembered::same:
    case remembered::merged: break;
  }
  return std::string("known already");
}

// A coroutine: models that take part need the compute pool, and a blocking tool would sit in it and wait.
task<result<std::string>> recall(scope_handle scope, recall_in in, memory_tool_options options) {
  recall_query q{.text = std::move(in.question), .limit = options.recall_limit};
  auto const found =
      co_await scope_handle::async_recall(std::move(scope), std::move(q), std::move(options.recall_models));
  if (!found) co_return found.error();
  std::string out;
  for (auto const& hit : found->hits) {
    auto const& r = hit.record;
    auto const since = to_rfc3339(r.valid_from ? r.valid_from : r.created).substr(0, 10);
    out += '[' + r.id.text() + "] " + (r.title.empty() ? "" : r.title + ": ") + r.text + " (since " + since + ")\n";
  }
  co_return out.empty() ? std::string("nothing was found") : out;
}

result<std::string> forget(scope_handle const& scope, forget_in const& in) {
  auto const id = ulid::parse(in.id);
  if (!id) return error{errc::invalid_argument, "\"" + in.id + "\" is no id; recall shows ids in brackets", "forget"};
  transaction tx{scope};
  tx.forget(*id);
  if (auto done = tx.commit(); !done) return done.error();
  return std::string("forgotten");
}

}  // namespace

std::vector<tool> memory_tools(scope_handle scope, memory_tool_options options) {
  std::vector<tool> out;
  out.emplace_back("remember", "Keeps a fact for later conversations.",
                   [scope](remember_in const& in) { return remember(scope, in); });
  out.push_back(tool("recall", "Finds what was remembered in earlier conversations.",
                     [scope, options](recall_in in) { return recall(scope, std::move(in), options); })
                    .reads()
                    .recalls());
  if (options.may_forget)
    out.emplace_back("forget", "Takes one remembered fact away.",
                     [scope](forget_in const& in) { return forget(scope, in); });
  return out;
}

tool memory_file_tool(memory_files files) {
  tool_spec spec{.name = "memory",
                 .description = "Your files, kept between conversations: look at " + files.options().root +
                                " before you begin; write down what will be needed again.",
                 .input_schema = schema_of<file_command>()};
  if (auto schema = parse_json(spec.input_schema.text)) {
    (*schema)["properties"]["command"]["enum"] = file_commands;
    spec.input_schema = {to_text(*schema)};
  }
  auto bind = [files = std::move(files)](std::string_view arguments) -> result<bound_call> {
    auto what = decode<file_command>(arguments);
    if (!what) return std::move(what).error();
    bound_call out;
    out.now = [files, what = std::move(*what)](tool_context const&) { return carry_out(files, what); };
    return out;
  };
  return tool(std::move(spec), std::move(bind)).recalls();
}

}  // namespace wherry::inline v0
