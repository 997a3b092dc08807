// swift-tools-version: 6.2
import PackageDescription

// A program that embeds the engine as anybody's does. `.ci/embed` copies it into the build folder, with the code of the article
// "Embedding" beside it.
let package = Package(
  name: "embedding",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "merge-engine", path: "../..")],
  targets: [
    .executableTarget(
      name: "Embedding",
      dependencies: [.product(name: "MergeEngine", package: "merge-engine")],
      path: ".",
      exclude: ["Package.resolved"],
      swiftSettings: [.treatAllWarnings(as: .error)]
    )
  ]
)
