import Foundation

/// A file of differences that was read through and found to be what `verify` wrote, but for lines taken out.
///
/// Of a line only its place and its kind are kept; it is read when its turn comes.
struct CheckedDifferences: Sendable {
  let path: String
  let header: DifferenceFile.Header
  /// The lines of each table, by pair and plain name, in the file's order.
  let entries: [Table: [Entry]]
  private let data: Data

  /// Where differences belong.
  struct Table: Hashable, Sendable {
    let pair: String
    let name: String
  }

  /// A line.
  struct Entry: Sendable {
    fileprivate let start: Int
    fileprivate let end: Int
    let kind: DifferenceKind
  }

  /// Reads a file through.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with what is wrong with it, and the line.
  init(path: String) throws {
    self.path = path
    do {
      data = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)
    } catch {
      throw Self.blocked(
        path,
        "can't be read (\(SystemReason.of(error))): name the file that verify --output has written."
      )
    }
    var lines = Lines(data)
    guard let first = lines.next() else { throw Self.blocked(path, "is empty. \(Self.advice)") }
    header = try Self.header(data[first], path)
    var entries: [Table: [Entry]] = [:]
    var numbers: Set<Int> = []
    var trailer: DifferenceFile.Trailer?
    while let line = lines.next() {
      func wrong(_ what: String) -> MergeFailure {
        Self.blocked(path, "is damaged: line \(lines.number) \(what) \(Self.advice)")
      }
      guard trailer == nil else { throw wrong("comes after the last one.") }
      if let difference = try? DifferenceFile.content(Difference.self, of: data[line], in: header.file) {
        guard numbers.insert(difference.number).inserted else { throw wrong("appears twice.") }
        entries[Table(pair: difference.pair, name: difference.table), default: []]
          .append(Entry(start: line.lowerBound, end: line.upperBound, kind: difference.kind))
      } else if let end = try? DifferenceFile.content(DifferenceFile.Trailer.self, of: data[line], in: header.file) {
        trailer = end
      } else {
        throw wrong("is not as it was written.")
      }
    }
    guard trailer?.endOf == header.file else {
      throw Self.blocked(path, "is truncated: its last line is missing. \(Self.advice)")
    }
    self.entries = entries
  }

  private static let advice =
    "You may remove lines other than the first and the last, but change none; otherwise run verify "
    + "--output again."

  private static func header(_ line: Data, _ path: String) throws -> DifferenceFile.Header {
    struct Version: Decodable {
      let format: String
      let formatVersion: Int

      private enum CodingKeys: String, CodingKey {
        case format
        case formatVersion = "format_version"
      }
    }
    guard let version = try? JSONDecoder().decode(Version.self, from: line), version.format == DifferenceFile.format
    else {
      throw blocked(
        path,
        "does not start like a file that verify --output wrote (a .csv can't be applied). \(advice)"
      )
    }
    guard version.formatVersion == DifferenceFile.formatVersion else {
      throw blocked(
        path,
        "has format version \(version.formatVersion), but this merge-engine reads version "
          + "\(DifferenceFile.formatVersion): run verify --output again with this merge-engine."
      )
    }
    do {
      return try DifferenceFile.content(DifferenceFile.Header.self, of: line, in: nil)
    } catch {
      throw blocked(path, "is damaged: line 1 is not as it was written. \(advice)")
    }
  }

  private static func blocked(_ path: String, _ reason: String) -> MergeFailure {
    .blocked([.blocker(.differenceFile, nil, "the file \(path) \(reason)")])
  }

  /// Why it can't be applied.
  func blocked(_ reason: String) -> MergeFailure { Self.blocked(path, reason) }

  /// Reads lines.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when somebody has changed the file meanwhile.
  func differences(_ entries: some Sequence<Entry>) throws -> [Difference] {
    try entries.map { entry in
      do {
        return try DifferenceFile.content(Difference.self, of: data[entry.start..<entry.end], in: header.file)
      } catch {
        throw blocked("was changed while it was being read.")
      }
    }
  }

  /// The lines of a file that are not empty.
  private struct Lines {
    private let data: Data
    private var offset = 0
    private(set) var number = 0

    init(_ data: Data) { self.data = data }

    mutating func next() -> Range<Int>? {
      while offset < data.count {
        let end = data[offset...].firstIndex(of: 0x0A) ?? data.count
        defer { offset = end + 1 }
        number += 1
        let isEmpty = data[offset..<end].allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }
        if !isEmpty { return offset..<end }
      }
      return nil
    }
  }
}
