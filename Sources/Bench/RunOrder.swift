/// In which order the contenders of a repetition run: another one every time, and the same for the same seed.
///
/// Whoever comes first may find a colder machine, and whoever follows a heavy writer a busier one. In a rotation each
/// would always follow the same one.
struct RunOrder {
  let seed: UInt32

  /// The places of `count` contenders, each of them once.
  func places(_ count: Int, _ workload: Workload, repetition: Int) -> [Int] {
    let number = Workload.allCases.firstIndex(of: workload) ?? 0
    var generator = Generator(state: UInt64(seed) << 32 | UInt64(number) << 16 | UInt64(repetition & 0xFFFF))
    return (0..<count).shuffled(using: &generator)
  }

  /// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }
}
