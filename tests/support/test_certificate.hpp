#pragma once
// Certificates made on the spot: an authority and a server certificate it signed.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace wherry_test {

struct test_certificate {
  std::string certificate, key;  ///< PEM.
};

/// A certificate for `names` ("DNS:localhost,IP:127.0.0.1"), signed by `authority`, or by itself.
inline test_certificate make_certificate(std::string const& names, test_certificate const* authority = nullptr) {
  auto const text_of = [](auto write) {
    std::unique_ptr<BIO, decltype(&BIO_free)> const out(BIO_new(BIO_s_mem()), BIO_free);
    write(out.get());
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
  };
  auto const reader = [](std::string const& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                     BIO_free);
  };
  using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using x509_ptr = std::unique_ptr<X509, decltype(&X509_free)>;
  key_ptr const key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  x509_ptr const own(X509_new(), X509_free);
  X509_set_version(own.get(), 2);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(own.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(own.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(own.get()), 3600);
  X509_set_pubkey(own.get(), key.get());
  auto* const subject = X509_get_subject_name(own.get());
  auto const* const title = reinterpret_cast<unsigned char const*>(authority ? "server" : "authority");
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, title, -1, -1, 0);
  x509_ptr issuer(nullptr, X509_free);
  key_ptr issuer_key(nullptr, EVP_PKEY_free);
  if (authority) {
    issuer.reset(PEM_read_bio_X509(reader(authority->certificate).get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_bio_PrivateKey(reader(authority->key).get(), nullptr, nullptr, nullptr));
  }
  X509_set_issuer_name(own.get(), issuer ? X509_get_subject_name(issuer.get()) : subject);
  auto const extend = [&](int what, std::string const& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer.get() : own.get(), own.get(), nullptr, nullptr, 0);
    std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> const extension(
        X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()), X509_EXTENSION_free);
    if (!extension) throw std::runtime_error("no such extension");
    X509_add_ext(own.get(), extension.get(), -1);
  };
  extend(NID_basic_constraints, authority ? "CA:FALSE" : "critical,CA:TRUE");
  extend(NID_subject_alt_name, names);
  X509_sign(own.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256());
  return {.certificate = text_of([&](BIO* out) { PEM_write_bio_X509(out, own.get()); }),
          .key = text_of(
              [&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

}  // namespace wherry_test
