#include "document_reader.hpp"

#include <wherry/core/child_process.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/memory/document.hpp>
#include <wherry/memory/html_text.hpp>

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

namespace wherry::cli {
namespace {

constexpr auto pdf_time = std::chrono::minutes(2);

error refused(errc code, std::string message, std::string const& path) {
  return {code, std::move(message), "cli.ingest", path};
}

result<std::string> read_file(std::string const& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return refused(errc::not_found, "there is no such file", path);
  if (std::filesystem::is_directory(path, failed))
    return refused(errc::invalid_argument, "this is a directory; name files", path);
  std::ifstream in(path, std::ios::binary);
  std::string text(document_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.is_open()) return refused(errc::io_failed, "the file could not be read", path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > document_bytes_max)
    return refused(errc::limit_reached, "the file has more than " + std::to_string(document_bytes_max) + " bytes",
                   path);
  return text;
}

task<result<std::string>> run_pdftotext(std::string path) {
  auto const until = std::chrono::steady_clock::now() + pdf_time;
  child_options options;
  options.command = {"pdftotext", "-enc", "UTF-8", "-q", path, "-"};
  auto started = child_process::start(co_await boost::asio::this_coro::executor, std::move(options));
  if (!started) {
    if (started.error().code != std::errc::no_such_file_or_directory) co_return std::move(started).error();
    co_return refused(errc::unsupported, "PDF is read with pdftotext, which is not installed; install poppler-utils",
                      path);
  }
  auto child = std::move(*started);
  child.close_input();
  std::string out;
  for (;;) {
    auto reading = [](child_process& from) -> task<result<std::string>> {
      auto some = co_await from.async_read();
      if (!some) co_return std::move(some).error();
      co_return std::string(*some);
    };
    auto some = co_await with_deadline(reading(child), until, "pdftotext");
    if (!some) co_return std::move(some).error();
    if (some->empty()) break;
    out += *some;
    if (out.size() > document_bytes_max)
      co_return refused(errc::limit_reached, "its text has more than " + std::to_string(document_bytes_max) + " bytes",
                        path);
  }
  auto const ended = co_await child.async_wait(until);
  if (!ended) co_return ended.error();
  if (!ended->clean()) co_return refused(errc::io_failed, "pdftotext could not read it: " + child.error_text(), path);
  co_return out;
}

/// Pages end with a form feed; each goes under a heading of its own.
std::string with_page_headings(std::string_view text) {
  std::string out;
  for (std::size_t page = 1; !text.empty(); ++page) {
    auto const end = text.find('\f');
    auto const body = text.substr(0, end);
    if (body.find_first_not_of(" \t\r\n") != std::string_view::npos)
      out += "# Page " + std::to_string(page) + "\n\n" + std::string(body) + "\n\n";
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

}  // namespace

result<std::string> read_document(std::string const& path) {
  auto extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto text = read_file(path);
  if (!text) return text;
  bool const is_pdf = extension == ".pdf" || text->starts_with("%PDF-");
  if (is_pdf) {
    // An absolute path is never taken for an option.
    auto pages =
        run_blocking(run_pdftotext(std::filesystem::absolute(path).string()), "read_document", "read_document");
    if (!pages) return pages;
    auto out = with_page_headings(*pages);
    if (out.empty())
      return refused(errc::unsupported, "the PDF holds no text, only pictures of it; recognise its text first", path);
    return out;
  }
  if (extension == ".html" || extension == ".htm" || extension == ".xhtml") return html_text(*text);
  return text;
}

}  // namespace wherry::cli
