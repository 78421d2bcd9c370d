#pragma once
// The commands. Each does its work, prints, and returns the exit code.

#include "settings.hpp"

namespace wherry::cli {

int about_command(settings const& given);           ///< wherry
int ask_command(settings const& given);             ///< wherry ask
int chat_command(settings const& given);            ///< wherry chat
int run_command(settings const& given);             ///< wherry run
int session_list_command(settings const& given);    ///< wherry session list
int session_show_command(settings const& given);    ///< wherry session show
int session_export_command(settings const& given);  ///< wherry session export
int memory_search_command(settings const& given);   ///< wherry memory search
int memory_show_command(settings const& given);     ///< wherry memory show
int memory_stats_command(settings const& given);    ///< wherry memory stats
int memory_verify_command(settings const& given);   ///< wherry memory verify
int memory_erase_command(settings const& given);    ///< wherry memory erase
int memory_export_command(settings const& given);   ///< wherry memory export
int memory_import_command(settings const& given);   ///< wherry memory import
int memory_ingest_command(settings const& given);   ///< wherry memory ingest
int memory_learn_command(settings const& given);    ///< wherry memory learn
int model_info_command(settings const& given);      ///< wherry model info
int model_quantize_command(settings const& given);  ///< wherry model quantize
int tokenize_command(settings const& given);        ///< wherry tokenize
int model_list_command(settings const& given);      ///< wherry model list
int model_merge_command(settings const& given);     ///< wherry model merge
int embed_command(settings const& given);           ///< wherry embed
int rerank_command(settings const& given);          ///< wherry rerank
int explain_command(settings const& given);         ///< wherry explain
int schema_check_command(settings const& given);    ///< wherry schema check
int schema_explain_command(settings const& given);  ///< wherry schema explain
int doctor_command(settings const& given);          ///< wherry doctor
int mcp_serve_command(settings const& given);       ///< wherry mcp serve
int mcp_inspect_command(settings const& given);     ///< wherry mcp inspect
int mcp_call_command(settings const& given);        ///< wherry mcp call

}  // namespace wherry::cli
