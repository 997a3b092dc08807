import CLibcrypto

/// A SHA-256 digest of bytes that come in parts, by OpenSSL's libcrypto.
///
/// Source: <https://docs.openssl.org/3.0/man3/EVP_DigestInit/>; the algorithm is FIPS 180-4.
@safe final class SHA256 {
  private let context: OpaquePointer

  /// A digest of nothing yet.
  ///
  /// - Precondition: there is memory for OpenSSL's context of some hundred bytes, and its library has SHA-256, which no
  ///   configuration takes away.
  init() {
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
    unsafe self.context = context
    start()
  }

  deinit {
    unsafe EVP_MD_CTX_free(context)
  }

  /// Adds bytes to what is digested.
  func update(_ bytes: RawSpan) {
    // Safe: the pointer is used only while the span lends it, and OpenSSL reads no further than the count says.
    let isDone = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    precondition(isDone == 1, "libcrypto could not digest")
  }

  /// Ends the digest; the next one begins with nothing.
  ///
  /// - Returns: 64 hexadecimal digits, in lower case.
  func finish() -> String {
    var digest = [UInt8](repeating: 0, count: Self.byteCount)
    // Safe: SHA-256 writes 32 bytes, which the array has room for; the length need not be told.
    let isDone = unsafe digest.withUnsafeMutableBufferPointer {
      unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
    }
    precondition(isDone == 1, "libcrypto could not end the digest")
    start()
    return digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }

  private static let byteCount = 32

  private func start() {
    precondition(unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "libcrypto has no SHA-256")
  }
}
