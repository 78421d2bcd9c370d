// The AI SDK's own client, which shares no code with the SDKs, against our server.
//   ai_client.mjs stdio|http SERVER_PROGRAM [legacy]
import { createMCPClient } from '@ai-sdk/mcp';
import { Experimental_StdioMCPTransport } from '@ai-sdk/mcp/mcp-stdio';
import { check, holds, ours_over_http, same } from './common.mjs';

const [how, program, era] = process.argv.slice(2);
await check(`AI SDK client, ${how}${era ? ', ' + era : ''}`, async () => {
  const transport = how === 'stdio' ? new Experimental_StdioMCPTransport({ command: program, args: ['--stdio'] })
    : { type: 'http', url: (await ours_over_http(program)).url };
  const client = await createMCPClient({ transport, protocolVersionDiscovery: era !== 'legacy' });
  const tools = await client.tools();
  holds('echo' in tools && 'add' in tools, 'tools are listed');
  const run = (name, args) => tools[name].execute(args, { toolCallId: '1', messages: [] });
  const text = 'line\nend \u{1F600} ' + 'x'.repeat(70_000);
  same((await run('echo', { message: text })).content[0].text, text, 'text comes back');
  same((await run('add', { a: 40, b: 2 })).structuredContent, { sum: 42 }, 'structured content');
  same((await run('test_error_handling', {})).isError, true, 'a failed tool');
  const many = await Promise.all(Array.from({ length: 64 }, (_, i) => run('echo', { message: `m${i}` })));
  same(many.map(r => r.content[0].text), many.map((_, i) => `m${i}`), '64 calls at once');
  holds((await client.listResources()).resources.length >= 3, 'resources are listed');
  same((await client.readResource({ uri: 'test://static-text' })).contents[0].text, 'This is the content of the static text resource.', 'a resource');
  await client.close();
});
