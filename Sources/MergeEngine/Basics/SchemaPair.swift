/// How a pair of schemas is written, in options and in files.
enum SchemaPair {
  /// `staging=production`
  static func name(_ schemas: Schemas) -> String { "\(schemas.staging)=\(schemas.production)" }
}
