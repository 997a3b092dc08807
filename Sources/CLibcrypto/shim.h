#ifndef CLIBCRYPTO_SHIM_H
#define CLIBCRYPTO_SHIM_H

// OpenSSL's digests. Its development files come with libpq-dev, and its library with libpq.
#include <openssl/evp.h>

#endif
