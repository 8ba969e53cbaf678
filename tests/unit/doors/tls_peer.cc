// Certificates of an hour, and a server whose socket is two memory BIOs.
#include "tests/unit/doors/tls_peer.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>

namespace perigee::edge {

namespace {

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Identity make_identity(const CertificateText& text, const Identity* issuer) {
  static long serial = 1;
  Identity made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), text.begins_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), text.ends_s);
  X509_set_pubkey(certificate, made.key.get());
  const std::string name = "test " + std::to_string(serial++);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  add_extension(certificate, signer, NID_basic_constraints,
                text.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!text.names.empty()) add_extension(certificate, signer, NID_subject_alt_name, text.names);
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

std::string write_pem(const Identity& identity) {
  std::string path = ::testing::TempDir() + "ca-XXXXXX";
  const int fd = ::mkstemp(path.data());
  std::FILE* file = ::fdopen(fd, "w");
  PEM_write_X509(file, identity.certificate.get());
  std::fclose(file);
  return path;
}

TlsPeer::TlsPeer(std::unique_ptr<test::MemoryChannel> channel, const Identity& identity)
    : channel_(std::move(channel)), context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
  SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
  SSL_CTX_set_alpn_select_cb(
      context_.get(),
      [](SSL*, const unsigned char** out, unsigned char* length, const unsigned char* in,
         unsigned int, void*) {
        *out = in + 1;
        *length = in[0];
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
  SSL_set_accept_state(ssl_.get());
}

void TlsPeer::pump() {
  const std::string arrived = channel_->read();
  if (!arrived.empty()) {
    BIO_write(SSL_get_rbio(ssl_.get()), arrived.data(), static_cast<int>(arrived.size()));
  }
  if (!shaken()) SSL_do_handshake(ssl_.get());
  char buffer[16384];
  for (int n = 0; shaken() && (n = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;) {
    received.append(buffer, static_cast<size_t>(n));
  }
  flush();
}

void TlsPeer::write(std::string_view text) {
  ASSERT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())),
            static_cast<int>(text.size()));
  flush();
}

void TlsPeer::close_notify() {
  SSL_shutdown(ssl_.get());
  flush();
}

void TlsPeer::alert() {
  const std::string damaged("\x17\x03\x03\x00\x20", 5);
  const std::string record = damaged + std::string(32, 'x');
  BIO_write(SSL_get_rbio(ssl_.get()), record.data(), static_cast<int>(record.size()));
  char byte = 0;
  EXPECT_LE(SSL_read(ssl_.get(), &byte, 1), 0);
  flush();
}

void TlsPeer::flush() {
  char buffer[16384];
  for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof buffer)) > 0;) {
    channel_->write({buffer, static_cast<size_t>(n)});
  }
}

std::string TlsPeer::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

std::string TlsPeer::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

}  // namespace perigee::edge
