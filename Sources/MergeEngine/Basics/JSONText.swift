import Foundation

/// JSON that the admin tables hold.
enum JSONText {
  /// - Returns: nil for NULL and for what is of another form: a record that somebody has edited is no reason to fail.
  static func decode<Value: Decodable>(_ type: Value.Type, _ text: String?) -> Value? {
    text.flatMap { try? JSONDecoder().decode(type, from: Data($0.utf8)) }
  }
}
