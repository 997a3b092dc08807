/// A staging row that is not certainly right, and is looked at again.
///
/// Eight bytes: an address takes 48 bits.
struct SuspectRow: Sendable, Hashable {
  private let bits: UInt64

  /// - Parameters:
  ///   - address: the row's, packed as in ``TupleRange``.
  ///   - wasInProduction: whether production had its key at the first look.
  init(_ address: UInt64, wasInProduction: Bool) {
    bits = address | (wasInProduction ? Self.wasInProductionBit : 0)
  }

  private static let wasInProductionBit: UInt64 = 1 << 63

  var address: UInt64 { bits & ~Self.wasInProductionBit }
  var wasInProduction: Bool { bits & Self.wasInProductionBit != 0 }
}
