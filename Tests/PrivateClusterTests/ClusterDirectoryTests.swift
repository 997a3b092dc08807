import Testing

@testable import PrivateCluster

@Suite struct ClusterDirectoryTests {
  @Test func `the environment may say where clusters are made`() {
    #expect(ClusterOptions.usualParentDirectory([:]) == "/tmp")
    #expect(ClusterOptions.usualParentDirectory(["MERGE_ENGINE_CLUSTER_DIRECTORY": ""]) == "/tmp")
    #expect(ClusterOptions.usualParentDirectory(["MERGE_ENGINE_CLUSTER_DIRECTORY": "/dev/shm"]) == "/dev/shm")
  }
}
