// A server of the TypeScript SDK v2, both eras: over standard input, or over HTTP on $PORT.
import http from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { z } from 'zod';

function make() {
  const s = new McpServer({ name: 'sdk2', version: '1.0.0' });
  s.registerTool('echo', { description: 'Echo', inputSchema: z.object({ message: z.string() }) }, async ({ message }) => ({ content: [{ type: 'text', text: message }] }));
  s.registerTool('add', { description: 'Add', inputSchema: z.object({ a: z.number(), b: z.number() }), outputSchema: z.object({ sum: z.number() }) },
    async ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }], structuredContent: { sum: a + b } }));
  s.registerResource('note', 'note://one', { mimeType: 'text/plain' }, async uri => ({ contents: [{ uri: uri.href, text: 'a note' }] }));
  s.registerPrompt('ask', { argsSchema: z.object({ topic: z.string() }) }, ({ topic }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `about ${topic}` } }] }));
  return s;
}
if (process.env.PORT) http.createServer(toNodeHandler(createMcpHandler(make))).listen(+process.env.PORT, '127.0.0.1');
else await serveStdio(make);
