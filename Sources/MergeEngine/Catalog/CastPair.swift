/// A cast between two types as the database has it.
struct CastPair: Sendable, Hashable {
  let source: UInt32
  let target: UInt32
}
