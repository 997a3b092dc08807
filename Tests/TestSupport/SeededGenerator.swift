import Foundation

/// Random numbers that a seed repeats: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
///
/// Every test that draws from it prints its seed when it begins; `MERGE_ENGINE_TEST_SEED` set to that number repeats
/// the run.
public struct SeededGenerator: RandomNumberGenerator {
  /// What the numbers follow from.
  public let seed: UInt64
  private var state: UInt64

  /// A generator that always gives the same numbers.
  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  /// The environment's seed, or a new one; printed.
  ///
  /// - Parameter purpose: what the line says the seed is for.
  public static func forTest(_ purpose: String) -> SeededGenerator {
    let given = ProcessInfo.processInfo.environment["MERGE_ENGINE_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? .random(in: 0...UInt64(UInt32.max))
    print("\(purpose): MERGE_ENGINE_TEST_SEED=\(seed)")
    return SeededGenerator(seed: seed)
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number below `bound`; a little uneven, which no test minds, and much faster in a debug build than `random(in:)`.
  public mutating func below(_ bound: Int) -> Int {
    Int(next() % UInt64(bound))
  }

  /// True so many times in a hundred.
  public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  /// So many random bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      var word = next()
      for _ in 0..<8 {
        bytes.append(UInt8(truncatingIfNeeded: word))
        word >>= 8
      }
    }
    return Array(bytes[..<count])
  }
}
