// Prints what AsyncAPI's own parser has to say of a document, as JSON: [{severity, code, message, path}].
import { fromFile, Parser } from '@asyncapi/parser';

const { diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
console.log(JSON.stringify(diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path }))));
