/// What a batch may hold.
enum BatchLimit {
  /// So many bytes at most, unless a single row is longer; a place with more is divided.
  static let byteCount = 16 << 20
}
