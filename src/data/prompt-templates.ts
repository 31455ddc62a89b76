/**
 * Chat templates of the pretrained checkpoints.
 *
 * @source OpenGVLab/InternVL internvl_chat/internvl/conversation.py: internvl2_5, internlm2-chat
 */
export const END_OF_TEXT = '</s>';
export const IM_START = '<|im_start|>';
export const IM_END = '<|im_end|>';
/** End-of-text of InternLM2's tokenizer and of Qwen2's: the checkpoints' generation_config.json names them as stops too. */
export const STOP_TOKENS = [END_OF_TEXT, '<|endoftext|>'] as const;

export interface ChatTemplate {
  /** System prompt the checkpoint was trained with; it is part of the format. */
  readonly systemPrompt: string;
  /** Text between <|im_end|> and the next turn. */
  readonly afterTurn: string;
  /** Whether texts lose surrounding white space. */
  readonly strip: boolean;
}

export const CHAT_TEMPLATES = {
  /** InternVL2.5. */
  internvl2_5: {
    systemPrompt:
      '你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。',
    afterTurn: '\n',
    strip: false,
  },
  /** InternVL2, and fine-tunes of it. */
  'internlm2-chat': {
    systemPrompt:
      '你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。',
    afterTurn: '',
    strip: true,
  },
} as const satisfies Record<string, ChatTemplate>;
