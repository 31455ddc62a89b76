"""Decodes clips to the frames that both branches see: the filters of src/data/video/ffmpeg-command.ts, the same bytes.

`pyav` decodes in the process with PyAV's own FFmpeg; `ffmpeg` starts one process a clip.
"""

import subprocess

import numpy as np
import torch

CROP = "w='max(1,min(iw,ih/sar))':h='max(1,min(ih,iw*sar))':exact=1"
KERNELS = {"bicubic": "bicubic:param0=0:param1=0.5", "area": "area", "bilinear": "bilinear"}


def scale(size, resize):
    return f"{size}:{size}:flags=accurate_rnd+full_chroma_int+bitexact+{KERNELS[resize]}"


def with_pyav(path, size, resize):
    import av
    from av.filter import Graph

    with av.open(path) as container:
        stream = container.streams.video[0]
        # Parallel over clips, not within one.
        stream.thread_type = "NONE"
        graph = Graph()
        nodes = [graph.add_buffer(template=stream), graph.add("crop", CROP), graph.add("scale", scale(size, resize))]
        nodes += [graph.add("format", "pix_fmts=rgb24"), graph.add("buffersink")]
        for a, b in zip(nodes, nodes[1:]):
            a.link_to(b)
        graph.configure()
        frames = []
        for frame in container.decode(stream):
            graph.push(frame)
            frames.append(graph.pull().to_ndarray())
    return np.stack(frames)


def with_ffmpeg(path, size, resize):
    filters = f"crop={CROP},scale={scale(size, resize)}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1", "-i", path, "-an"]
    command += ["-vf", filters, "-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    data = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, size, size, 3)


DECODERS = {"pyav": with_pyav, "ffmpeg": with_ffmpeg}


class Steps(torch.utils.data.Dataset):
    """One item a training step: its tensors, and the frames of all its clips."""

    def __init__(self, plan, decoder):
        self.steps, self.sampling, self.decode = plan["steps"], plan["sampling"], DECODERS[decoder]

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, index):
        step, sampling = self.steps[index], self.sampling
        clips = [self.decode(path, sampling["size"], sampling["resize"]) for path in step["videos"]]
        number = sampling["numFrames"]
        # The frame in the middle of each of `number` equal parts.
        chosen = [clip[[int((i + 0.5) * len(clip) / number) for i in range(number)]] for clip in clips]
        spatial, temporal = (torch.from_numpy(np.stack(frames)) for frames in (chosen, clips))
        tensor = lambda name: torch.tensor(step[name])
        ids = tensor("ids").view(step["batch"], step["length"])
        weights = torch.tensor(step["weights"], dtype=torch.float32)
        return ids, tensor("rows"), tensor("labels"), weights, spatial, temporal, step["learningRate"]
