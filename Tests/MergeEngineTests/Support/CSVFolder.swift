import Foundation
import TestSupport

/// A folder of files as `aws s3 sync` leaves it, gone with its test.
final class CSVFolder {
  let path = FileManager.default.temporaryDirectory.appending(path: "merge-engine-csv-\(UUID().uuidString)").path

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  var snapshot: String { path + "/night" }

  func write(_ name: String, _ text: String) throws { try write(name, Data(text.utf8)) }

  func write(_ name: String, _ data: Data) throws {
    let url = URL(filePath: path).appending(path: name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: url)
  }

  /// Packs a file as DMS does with `CompressionType=GZIP`.
  func pack(_ name: String) async throws {
    let gzip = try CommandLineProgram([path + "/" + name], executable: URL(filePath: "/bin/gzip"))
    _ = try await gzip.outcome()
  }
}

extension TestDatabase {
  /// A table with a thousand rows of before, for files to be merged into.
  func makeOrders() throws {
    try run(
      """
      CREATE SCHEMA production; CREATE TABLE public.done (n int);
      CREATE TABLE production.orders (order_id int PRIMARY KEY, note varchar(20), amount numeric(10,2), data bytea,
                                      updated_at timestamp);
      INSERT INTO production.orders SELECT n, 'old', n, NULL, '2025-01-01' FROM generate_series(1, 1000) n;
      """
    )
  }
}
