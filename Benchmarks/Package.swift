// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who only uses merge-engine builds it. It looks into the engine's modules, which
// therefore must be built with -enable-testing: `make benchmarks`.
let package = Package(
  name: "merge-engine-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "merge-engine", path: "..")],
  targets: [
    .target(name: "AllocationCounter", path: "AllocationCounter"),
    .executableTarget(
      name: "MicroBenchmarks",
      dependencies: ["AllocationCounter", .product(name: "MergeEngine", package: "merge-engine")],
      path: "MicroBenchmarks",
      swiftSettings: [.treatAllWarnings(as: .error), .strictMemorySafety()]
    ),
  ]
)
