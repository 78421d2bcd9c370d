// TLS contexts: versions, certificates, whom to trust.

#include "transport.hpp"

#include <wherry/http/client.hpp>
#include <wherry/http/server.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace wherry::inline v0::detail {
namespace {

struct bio_free {
  void operator()(BIO* b) const { BIO_free(b); }
};
struct x509_free {
  void operator()(X509* x) const { X509_free(x); }
};
struct key_free {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
using bio_ptr = std::unique_ptr<BIO, bio_free>;
using x509_ptr = std::unique_ptr<X509, x509_free>;

bio_ptr reader(std::string const& pem) { return bio_ptr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

error refused(std::string what) {
  auto const code = ERR_get_error();
  if (code != 0 && ERR_reason_error_string(code)) (what += ": ") += ERR_reason_error_string(code);
  ERR_clear_error();
  return {errc::invalid_argument, std::move(what), "http.tls"};
}

tls_context new_context(SSL_METHOD const* method) {
  tls_context context(SSL_CTX_new(method), [](SSL_CTX* c) { SSL_CTX_free(c); });
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

result<tls_context> make_server_context(tls_server_options const& options) {
  auto context = new_context(TLS_server_method());
  auto const chain = reader(options.certificate_chain);
  x509_ptr const own(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!own || SSL_CTX_use_certificate(context.get(), own.get()) != 1)
    return refused("tls_server_options::certificate_chain does not begin with a PEM certificate");
  while (auto* const next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr))
    SSL_CTX_add0_chain_cert(context.get(), next);
  ERR_clear_error();  // the end of the text
  auto const key_text = reader(options.private_key);
  std::unique_ptr<EVP_PKEY, key_free> const key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!key) return refused("tls_server_options::private_key is not a PEM private key");
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 || SSL_CTX_check_private_key(context.get()) != 1)
    return refused("tls_server_options::private_key does not belong to the certificate");
  return context;
}

result<tls_context> make_client_context(http_client_options const& options) {
  auto context = new_context(TLS_client_method());
  if (options.system_authorities) SSL_CTX_set_default_verify_paths(context.get());
  if (options.certificate_authorities.empty()) return context;
  auto const text = reader(options.certificate_authorities);
  std::size_t count = 0;
  while (x509_ptr const next{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), next.get());
    ++count;
  }
  if (count == 0) return refused("http_client_options::certificate_authorities holds no PEM certificate");
  ERR_clear_error();
  return context;
}

}  // namespace wherry::inline v0::detail
