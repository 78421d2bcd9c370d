#include "record_json.hpp"

#include <algorithm>
#include <array>

namespace wherry::cli {

json to_json(record const& r) {
  json out;
  out["id"] = r.id.text();
  out["kind"] = r.kind;
  out["text"] = r.text;
  auto const put = [&](char const* name, std::string const& value) {
    if (!value.empty()) out[name] = value;
  };
  auto const put_time = [&](char const* name, utc_ms value) {
    if (value) out[name] = value;
  };
  put("title", r.title);
  put("subject", r.subject);
  put("attribute", r.attribute);
  json source;
  if (!r.source.session.empty()) source["session"] = r.source.session;
  if (!r.source.document.empty()) source["document"] = r.source.document;
  if (r.source.first_seq) source["first_seq"] = r.source.first_seq;
  if (r.source.last_seq) source["last_seq"] = r.source.last_seq;
  if (r.source.end) source["begin"] = r.source.begin, source["end"] = r.source.end;
  if (!source.empty()) out["source"] = std::move(source);
  out["origin"] = to_string(r.origin);
  out["importance"] = r.importance;
  out["proofs"] = r.proofs;
  out["created"] = r.created;
  put_time("valid_from", r.valid_from);
  put_time("valid_to", r.valid_to);
  put_time("expires", r.expires);
  if (r.superseded_at) out["superseded_by"] = r.superseded_by.text(), out["superseded_at"] = r.superseded_at;
  for (auto const& tag : r.tags) out["tags"].push_back({tag.name, tag.value});
  return out;
}

result<record> record_from_json(json const& in) {
  auto const wrong = [](std::string what) { return error{errc::parse_error, std::move(what), "cli.memory"}; };
  if (!in.is_object() || !in.contains("text")) return wrong("a record is an object with a member \"text\"");
  record r;
  try {
    if (in.contains("id")) {
      auto const id = ulid::parse(in["id"].get<std::string>());
      if (!id) return wrong("\"" + in["id"].get<std::string>() + "\" is no id");
      r.id = *id;
    }
    r.text = in["text"].get<std::string>();
    r.kind = in.value("kind", "fact");
    r.title = in.value("title", "");
    r.subject = in.value("subject", "");
    r.attribute = in.value("attribute", "");
    auto const source = in.value("source", json::object());
    r.source = {.session = source.value("session", ""),
                .first_seq = source.value("first_seq", std::uint64_t{0}),
                .last_seq = source.value("last_seq", std::uint64_t{0}),
                .document = source.value("document", ""),
                .begin = source.value("begin", std::uint64_t{0}),
                .end = source.value("end", std::uint64_t{0})};
    auto const origin = in.value("origin", "user");
    bool known = false;
    for (auto const o : {record_origin::user, record_origin::tool, record_origin::agent, record_origin::document,
                         record_origin::recalled})
      if (origin == to_string(o)) r.origin = o, known = true;
    if (!known) return wrong("\"" + origin + "\" is no origin");
    r.importance = in.value("importance", 0.5F);
    r.proofs = in.value("proofs", 1U);
    r.created = in.value("created", utc_ms{0});
    r.valid_from = in.value("valid_from", utc_ms{0});
    r.valid_to = in.value("valid_to", utc_ms{0});
    r.expires = in.value("expires", utc_ms{0});
    r.superseded_at = in.value("superseded_at", utc_ms{0});
    if (auto const by = ulid::parse(in.value("superseded_by", ""))) r.superseded_by = *by;
    json const tags = in.value("tags", json::array());
    for (auto const& tag : tags) r.tags.push_back({tag.at(0).get<std::string>(), tag.at(1).get<std::string>()});
  } catch (nlohmann::json::exception const& e) {
    return wrong(std::string("a member of a record has the wrong type: ") + e.what());
  }
  return r;
}

std::optional<event_type> event_type_named(std::string_view word) {
  static constexpr std::array types{event_type::run_opened,    event_type::user_message, event_type::assistant_message,
                                    event_type::call_intent,   event_type::tool_results, event_type::call_pending,
                                    event_type::call_resolved, event_type::run_ended,    event_type::undo,
                                    event_type::note};
  auto const at = std::ranges::find(types, word, [](event_type t) { return std::string_view(to_string(t)); });
  return at == types.end() ? std::nullopt : std::optional(*at);
}

}  // namespace wherry::cli
