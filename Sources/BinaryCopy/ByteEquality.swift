extension RawSpan {
  /// Whether two stretches hold the same bytes.
  ///
  /// - Parameters:
  ///   - range: the stretch of these bytes.
  ///   - other: the other bytes.
  ///   - otherRange: the stretch of those.
  /// - Precondition: both stretches lie within their bytes.
  /// - Complexity: O(bytes), eight at a time.
  @inlinable
  public func equals(_ range: Range<Int>, to other: RawSpan, at otherRange: Range<Int>) -> Bool {
    guard range.count == otherRange.count else { return false }
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    precondition(otherRange.lowerBound >= 0 && otherRange.upperBound <= other.byteCount)
    var left = range.lowerBound
    var right = otherRange.lowerBound
    while range.upperBound - left >= 8 {
      // Safe: both ranges were checked above, and eight bytes are left in this one, so also in the other, as long.
      let leftPart = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left, as: UInt64.self)
      let rightPart = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right, as: UInt64.self)
      guard leftPart == rightPart else { return false }
      left += 8
      right += 8
    }
    while left < range.upperBound {
      // Safe: as above, with one byte left.
      let leftByte = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left, as: UInt8.self)
      let rightByte = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right, as: UInt8.self)
      guard leftByte == rightByte else { return false }
      left += 1
      right += 1
    }
    return true
  }
}
