import Libpq

/// Between which types a database has casts: the server's own, those of extensions, and those that somebody has made.
struct Casts: Sendable {
  /// From one type to another.
  struct Pair: Sendable, Hashable {
    let source: UInt32
    let target: UInt32
  }

  private let all: Set<Pair>
  private let made: Set<Pair>

  /// None is known; what comes with the server works all the same.
  static let none = Casts(all: [], made: [])

  /// - Parameter made: those by a function that comes neither with the server nor with an extension.
  init(all: Set<Pair>, made: Set<Pair>) {
    self.all = all
    self.made = made
  }

  func exists(from source: UInt32, to target: UInt32) -> Bool { all.contains(Pair(source: source, target: target)) }

  /// Somebody has made a cast between a type and text: where a statement writes one as the other, that takes the place of what the type
  /// itself writes and reads.
  func areMade(betweenTextAnd type: UInt32) -> Bool {
    isMade(from: type, to: TypeOID.text) || isMade(from: TypeOID.text, to: type)
  }

  /// It may make anything of a value.
  func isMade(from source: UInt32, to target: UInt32) -> Bool { made.contains(Pair(source: source, target: target)) }
}
