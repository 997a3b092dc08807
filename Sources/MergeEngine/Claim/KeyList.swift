import Libpq

/// Keys in order, one after the other, as the server has sent them.
struct KeyList: Sendable {
  private let columnCount: Int
  private let form: KeyRange.Form
  private var bytes: [UInt8] = []
  /// Where each value ends in ``bytes``: as many a key as it has columns.
  private var ends: [Int] = []

  /// A key that is no text, which no stretch may end at: what was written down would be another key.
  struct Unreadable: Error, CustomStringConvertible {
    var description: String { "a key is not valid UTF-8" }
  }

  /// - Parameters:
  ///   - columnCount: how many values a key has.
  ///   - form: whether these are bigints or texts.
  init(columnCount: Int, form: KeyRange.Form) {
    self.columnCount = columnCount
    self.form = form
  }

  var count: Int { ends.count / columnCount }

  /// Adds a key, given in the server's binary form.
  mutating func append(_ values: [[UInt8]]) throws(Unreadable) {
    for value in values {
      guard form == .numbers || String(validating: value, as: UTF8.self) != nil else { throw Unreadable() }
      bytes += value
      ends.append(bytes.count)
    }
  }

  /// Whether two keys are the same in every byte.
  func areSame(_ first: Int, _ second: Int) -> Bool {
    (0..<columnCount).allSatisfy { column in
      bytes[value(first, column)].elementsEqual(bytes[value(second, column)])
    }
  }

  /// A key by its number.
  subscript(_ index: Int) -> KeyRange.Key {
    switch form {
    case .numbers: .numbers(values(index).map { $0.reduce(0) { $0 << 8 | Int($1) } })
    case .texts: .texts(values(index).map { String(decoding: $0, as: UTF8.self) })
    }
  }

  /// A key's values, as they came.
  func values(_ index: Int) -> [[UInt8]] { (0..<columnCount).map { Array(bytes[value(index, $0)]) } }

  /// Some of the keys.
  subscript(_ range: Range<Int>) -> KeyList {
    var part = KeyList(columnCount: columnCount, form: form)
    let (first, last) = (offset(range.lowerBound), offset(range.upperBound))
    part.bytes = Array(bytes[first..<last])
    part.ends = ends[(range.lowerBound * columnCount)..<(range.upperBound * columnCount)].map { $0 - first }
    return part
  }

  /// Where a key begins.
  private func offset(_ index: Int) -> Int { index == 0 ? 0 : ends[index * columnCount - 1] }

  private func value(_ index: Int, _ column: Int) -> Range<Int> {
    let number = index * columnCount + column
    return (number == 0 ? 0 : ends[number - 1])..<ends[number]
  }
}
