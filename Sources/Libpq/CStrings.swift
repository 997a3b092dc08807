/// Arrays of C strings for the length of a call.
enum CStrings {
  /// Calls `body` with a null-terminated array of pointers to copies of `strings`.
  ///
  /// Safe: the copies end with NUL, and are freed after `body`, which must not keep the pointers.
  static func with<Result>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = strings.map { string in
      let bytes = Array(string.utf8CString)
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      copy.initialize(from: bytes, count: bytes.count)
      return copy
    }
    defer { copies.forEach { $0.deallocate() } }
    var pointers = copies.map { Optional(UnsafePointer($0)) } + [nil]
    return body(&pointers)
  }
}
