import BinaryCopy

/// The binary form of a `numeric` written in decimal, as `numeric_send` gives it: digits in groups of four around the
/// point, without groups of zeros at the ends.
func numeric(_ text: String) -> [UInt8] {
  switch text {
  case "NaN": return hex("0000 0000 C000 0000")
  case "Infinity": return hex("0000 0000 D000 0020")
  case "-Infinity": return hex("0000 0000 F000 0020")
  default: break
  }
  let isNegative = text.hasPrefix("-")
  let parts = (isNegative ? text.dropFirst() : text[...]).split(separator: ".", omittingEmptySubsequences: false)
  let whole = String(parts[0])
  let fraction = parts.count > 1 ? String(parts[1]) : ""
  let padded =
    String(repeating: "0", count: (4 - whole.count % 4) % 4) + whole + fraction
    + String(repeating: "0", count: (4 - fraction.count % 4) % 4)
  let decimals = padded.utf8.map { Int16($0) - 48 }
  var digits = stride(from: 0, to: decimals.count, by: 4).map { decimals[$0..<($0 + 4)].reduce(0) { $0 * 10 + $1 } }
  var weight = (whole.count + 3) / 4 - 1
  while digits.first == 0 {
    digits.removeFirst()
    weight -= 1
  }
  while digits.last == 0 { digits.removeLast() }
  if digits.isEmpty { weight = 0 }
  var bytes: [UInt8] = []
  bytes.append(bigEndian: Int16(digits.count))
  bytes.append(bigEndian: Int16(weight))
  bytes.append(bigEndian: UInt16(isNegative && !digits.isEmpty ? 0x4000 : 0))
  bytes.append(bigEndian: Int16(fraction.count))
  for digit in digits { bytes.append(bigEndian: digit) }
  return bytes
}

/// The order of two numerics that fill their buffers: -1, 0 or 1.
func order(_ left: [UInt8], _ right: [UInt8]) throws(BinaryCopyError) -> Int {
  try NumericOrder.compare(
    FieldRange(offset: 0, byteCount: left.count),
    in: left.rawSpan,
    FieldRange(offset: 0, byteCount: right.count),
    in: right.rawSpan
  ).signum()
}
