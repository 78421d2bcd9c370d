// A server of the TypeScript SDK v1: over standard input, or over HTTP with sessions on $PORT.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

function make() {
  const s = new McpServer({ name: 'sdk1', version: '1.0.0' });
  s.registerTool('echo', { description: 'Echo', inputSchema: { message: z.string() } }, async ({ message }) => ({ content: [{ type: 'text', text: message }] }));
  s.registerTool('add', { description: 'Add', inputSchema: { a: z.number(), b: z.number() }, outputSchema: { sum: z.number() } },
    async ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }], structuredContent: { sum: a + b } }));
  s.registerTool('slow', { description: 'Tells how far it is', inputSchema: {} }, async (_, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (let i = 1; i <= 3; i++) if (progressToken !== undefined) await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: i, total: 3 } });
    return { content: [{ type: 'text', text: 'done' }] };
  });
  s.registerResource('note', 'note://one', { mimeType: 'text/plain' }, async uri => ({ contents: [{ uri: uri.href, text: 'a note' }] }));
  s.registerPrompt('ask', { argsSchema: { topic: z.string() } }, ({ topic }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `about ${topic}` } }] }));
  return s;
}
if (process.env.PORT) {
  const sessions = new Map();
  http.createServer(async (req, res) => {
    const id = req.headers['mcp-session-id'];
    if (id) { const t = sessions.get(id); if (!t) { res.writeHead(404).end(); return; } return t.handleRequest(req, res); }
    const t = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: i => sessions.set(i, t), onsessionclosed: i => sessions.delete(i) });
    await make().connect(t);
    return t.handleRequest(req, res);
  }).listen(+process.env.PORT, '127.0.0.1');
} else {
  await make().connect(new StdioServerTransport());
}
