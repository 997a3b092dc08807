// swift-tools-version: 6.2
import PackageDescription

/// Every warning is an error, everywhere.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// Unsafe constructs must be marked where they stand. Only `Libpq`, which is made of C pointers, goes without.
let strictAndSafe: [SwiftSetting] = strict + [.strictMemorySafety()]

/// What the Makefile says of the commit that is built; `--version` shows it.
let commit = Context.environment["MERGE_ENGINE_COMMIT"] ?? ""

let package = Package(
  name: "merge-engine",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "merge-engine", targets: ["merge-engine"]),
    .library(name: "MergeEngine", targets: ["MergeEngine"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    // Debian's libpq-dev brings it along.
    .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    // Which of the names that exist somebody has meant: for files, arguments, tables and DMS's documents alike.
    .target(name: "Spelling", swiftSettings: strictAndSafe),
    .target(name: "Libpq", dependencies: ["CLibpq"], swiftSettings: strict),
    .target(name: "CBuildFacts", cSettings: [.define("MERGE_ENGINE_COMMIT", to: commit)]),
    // What the programs that are started get to see of this process's environment, and how their end is seen.
    .target(name: "ChildEnvironment", swiftSettings: strictAndSafe),
    // Lifetimes: for the one property that lends an array's bytes as a span.
    .target(name: "BinaryCopy", swiftSettings: strictAndSafe + [.enableExperimentalFeature("Lifetimes")]),
    .target(
      name: "MergeEngine",
      dependencies: [
        "CLibcrypto", "Libpq", "BinaryCopy", "ChildEnvironment", "Spelling",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strictAndSafe
    ),
    .target(
      name: "PrivateCluster",
      dependencies: ["ChildEnvironment", .product(name: "Subprocess", package: "swift-subprocess")],
      swiftSettings: strictAndSafe
    ),
    .target(
      name: "DMS",
      dependencies: ["ChildEnvironment", "Spelling", .product(name: "Subprocess", package: "swift-subprocess")],
      swiftSettings: strictAndSafe
    ),
    // A load by DMS and the merge after it as one; the only one that knows both.
    .target(
      name: "Reload",
      dependencies: ["DMS", "Libpq", "MergeEngine", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strictAndSafe
    ),
    // Merge throughput beside other ways to do the same.
    .target(
      name: "Bench",
      dependencies: ["BinaryCopy", "Libpq", "MergeEngine", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strictAndSafe
    ),
    // A run or a bench as a page. Apart from the library, which needs no template engine.
    .target(
      name: "HTMLReport",
      dependencies: ["Bench", "MergeEngine", .product(name: "Mustache", package: "swift-mustache")],
      swiftSettings: strictAndSafe
    ),
    .executableTarget(
      name: "merge-engine",
      dependencies: [
        "Bench", "CBuildFacts", "ChildEnvironment", "DMS", "HTMLReport", "Libpq", "MergeEngine", "PrivateCluster",
        "Reload", "Spelling",
        "Yams",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strictAndSafe
    ),
    // What several test targets share.
    .target(
      name: "TestSupport",
      dependencies: ["ChildEnvironment", "Libpq", "PrivateCluster"],
      path: "Tests/TestSupport",
      swiftSettings: strictAndSafe
    ),
    // A model of who has written what, for tests in which all goes wrong at once.
    .target(
      name: "TortureSupport",
      dependencies: ["Libpq", "TestSupport"],
      path: "Tests/TortureSupport",
      swiftSettings: strictAndSafe
    ),
    .testTarget(name: "SpellingTests", dependencies: ["Spelling"], swiftSettings: strictAndSafe),
    .testTarget(
      name: "BinaryCopyTests",
      dependencies: ["BinaryCopy", "TestSupport"],
      swiftSettings: strictAndSafe
    ),
    .testTarget(
      name: "LibpqTests",
      dependencies: ["Libpq", "BinaryCopy", "PrivateCluster", "TestSupport"],
      swiftSettings: strictAndSafe
    ),
    .testTarget(
      name: "DMSTests",
      dependencies: [
        "ChildEnvironment", "DMS", "TestSupport", .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: strictAndSafe
    ),
    .testTarget(
      name: "PrivateClusterTests",
      dependencies: ["PrivateCluster", "TestSupport", .product(name: "Subprocess", package: "swift-subprocess")],
      swiftSettings: strictAndSafe
    ),
    // What needs no server: the pure parts, from inside.
    .testTarget(
      name: "MergeEngineUnitTests",
      dependencies: ["MergeEngine", "BinaryCopy", "Libpq", "TestSupport"],
      swiftSettings: strictAndSafe
    ),
    // DMSSimulator, beside it, is Python: what a load is tested against.
    .testTarget(
      name: "ReloadTests",
      dependencies: ["DMS", "Libpq", "MergeEngine", "Reload", "TestSupport", "merge-engine"],
      swiftSettings: strictAndSafe
    ),
    .testTarget(
      name: "MergeEngineTests",
      dependencies: [
        "Bench", "ChildEnvironment", "HTMLReport", "MergeEngine", "Libpq", "PrivateCluster", "TestSupport",
        "merge-engine",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strictAndSafe
    ),
    // Needs an installed Citus: `make test-citus` alone runs it.
    .testTarget(
      name: "CitusTests",
      dependencies: ["Libpq", "PrivateCluster", "TestSupport", "TortureSupport", "merge-engine"],
      swiftSettings: strictAndSafe
    ),
    .testTarget(
      name: "TortureTests",
      dependencies: [
        "MergeEngine", "Libpq", "PrivateCluster", "TestSupport", "TortureSupport", "merge-engine",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strictAndSafe
    ),
  ]
)
